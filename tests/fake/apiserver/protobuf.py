# SPDX-License-Identifier: GPL-2.0-or-later
"""Encodes JSON objects as protobuf, byte for byte as a real API server does.

Field numbers are those of the generated.proto files of k8s.io/api and k8s.io/apimachinery. A real server
writes the fields of a message in the order of their numbers; those that are no pointer in Go always, the
others when they are set, maps by their sorted keys.
"""

import calendar
import json
import re
import struct
import time

MAGIC = b"k8s\0"
MEDIA_TYPE = "application/vnd.kubernetes.protobuf"

# message: {JSON name: (number, type, always written)}; [type] is repeated.
MESSAGES = {
    "Time": {},  # made of a string
    "TypeMeta": {"apiVersion": (1, "string", True), "kind": (2, "string", True)},
    "ListMeta": {
        "selfLink": (1, "string", True),
        "resourceVersion": (2, "string", True),
        "continue": (3, "string", True),
        "remainingItemCount": (4, "int", False),
    },
    "OwnerReference": {
        "kind": (1, "string", True),
        "name": (3, "string", True),
        "uid": (4, "string", True),
        "apiVersion": (5, "string", True),
        "controller": (6, "bool", False),
        "blockOwnerDeletion": (7, "bool", False),
    },
    "ManagedFieldsEntry": {
        "manager": (1, "string", True),
        "operation": (2, "string", True),
        "apiVersion": (3, "string", True),
        "time": (4, "Time", False),
        "fieldsType": (6, "string", True),
        "fieldsV1": (7, "FieldsV1", False),
        "subresource": (8, "string", True),
    },
    "ObjectMeta": {
        "name": (1, "string", True),
        "generateName": (2, "string", True),
        "namespace": (3, "string", True),
        "selfLink": (4, "string", True),
        "uid": (5, "string", True),
        "resourceVersion": (6, "string", True),
        "generation": (7, "int", True),
        "creationTimestamp": (8, "Time", True),
        "deletionTimestamp": (9, "Time", False),
        "deletionGracePeriodSeconds": (10, "int", False),
        "labels": (11, "map", False),
        "annotations": (12, "map", False),
        "ownerReferences": (13, ["OwnerReference"], False),
        "finalizers": (14, ["string"], False),
        "managedFields": (17, ["ManagedFieldsEntry"], False),
    },
    "StatusCause": {
        "reason": (1, "string", True),
        "message": (2, "string", True),
        "field": (3, "string", True),
    },
    "StatusDetails": {
        "name": (1, "string", True),
        "group": (2, "string", True),
        "kind": (3, "string", True),
        "causes": (4, ["StatusCause"], False),
        "retryAfterSeconds": (5, "int", True),
        "uid": (6, "string", True),
    },
    "Status": {
        "metadata": (1, "ListMeta", True),
        "status": (2, "string", True),
        "message": (3, "string", True),
        "reason": (4, "string", True),
        "details": (5, "StatusDetails", False),
        "code": (6, "int", True),
    },
    "ObjectReference": {
        "kind": (1, "string", True),
        "namespace": (2, "string", True),
        "name": (3, "string", True),
        "uid": (4, "string", True),
        "apiVersion": (5, "string", True),
        "resourceVersion": (6, "string", True),
        "fieldPath": (7, "string", True),
    },
    "Service": {
        "metadata": (1, "ObjectMeta", True),
        "spec": (2, "ServiceSpec", True),
        "status": (3, "ServiceStatus", True),
    },
    "ServiceSpec": {
        "ports": (1, ["ServicePort"], False),
        "selector": (2, "map", False),
        "clusterIP": (3, "string", True),
        "type": (4, "string", True),
        "externalIPs": (5, ["string"], False),
        "sessionAffinity": (7, "string", True),
        "loadBalancerIP": (8, "string", True),
        "loadBalancerSourceRanges": (9, ["string"], False),
        "externalName": (10, "string", True),
        "externalTrafficPolicy": (11, "string", True),
        "healthCheckNodePort": (12, "int", True),
        "publishNotReadyAddresses": (13, "bool", True),
        "sessionAffinityConfig": (14, "SessionAffinityConfig", False),
        "ipFamilyPolicy": (17, "string", False),
        "clusterIPs": (18, ["string"], False),
        "ipFamilies": (19, ["string"], False),
        "allocateLoadBalancerNodePorts": (20, "bool", False),
        "loadBalancerClass": (21, "string", False),
        "internalTrafficPolicy": (22, "string", False),
        "trafficDistribution": (23, "string", False),
    },
    "ServicePort": {
        "name": (1, "string", True),
        "protocol": (2, "string", True),
        "port": (3, "int", True),
        "targetPort": (4, "IntOrString", True),
        "nodePort": (5, "int", True),
        "appProtocol": (6, "string", False),
    },
    "IntOrString": {},  # made of a number or a string
    "SessionAffinityConfig": {"clientIP": (1, "ClientIPConfig", False)},
    "ClientIPConfig": {"timeoutSeconds": (1, "int", False)},
    "ServiceStatus": {"loadBalancer": (1, "LoadBalancerStatus", True)},
    "LoadBalancerStatus": {"ingress": (1, ["LoadBalancerIngress"], False)},
    "LoadBalancerIngress": {
        "ip": (1, "string", True),
        "hostname": (2, "string", True),
        "ipMode": (3, "string", False),
    },
    "EndpointSlice": {
        "metadata": (1, "ObjectMeta", True),
        "endpoints": (2, ["Endpoint"], False),
        "ports": (3, ["SlicePort"], False),
        "addressType": (4, "string", True),
    },
    "Endpoint": {
        "addresses": (1, ["string"], False),
        "conditions": (2, "EndpointConditions", True),
        "hostname": (3, "string", False),
        "targetRef": (4, "ObjectReference", False),
        "deprecatedTopology": (5, "map", False),
        "nodeName": (6, "string", False),
        "zone": (7, "string", False),
        "hints": (8, "EndpointHints", False),
    },
    "EndpointConditions": {
        "ready": (1, "bool", False),
        "serving": (2, "bool", False),
        "terminating": (3, "bool", False),
    },
    "EndpointHints": {"forZones": (1, ["Named"], False), "forNodes": (2, ["Named"], False)},
    "Named": {"name": (1, "string", True)},
    "SlicePort": {
        "name": (1, "string", False),
        "protocol": (2, "string", False),
        "port": (3, "int", False),
        "appProtocol": (4, "string", False),
    },
    "Endpoints": {
        "metadata": (1, "ObjectMeta", True),
        "subsets": (2, ["EndpointSubset"], False),
    },
    "EndpointSubset": {
        "addresses": (1, ["EndpointAddress"], False),
        "notReadyAddresses": (2, ["EndpointAddress"], False),
        "ports": (3, ["EndpointPort"], False),
    },
    "EndpointAddress": {
        "ip": (1, "string", True),
        "targetRef": (2, "ObjectReference", False),
        "hostname": (3, "string", True),
        "nodeName": (4, "string", False),
    },
    "EndpointPort": {
        "name": (1, "string", True),
        "port": (2, "int", True),
        "protocol": (3, "string", True),
        "appProtocol": (4, "string", False),
    },
    "Node": {
        "metadata": (1, "ObjectMeta", True),
        "spec": (2, "NodeSpec", True),
        "status": (3, "NodeStatus", True),
    },
    "NodeSpec": {
        "podCIDR": (1, "string", True),
        "externalID": (2, "string", True),
        "providerID": (3, "string", True),
        "unschedulable": (4, "bool", True),
        "taints": (5, ["Taint"], False),
        "podCIDRs": (7, ["string"], False),
    },
    "Taint": {
        "key": (1, "string", True),
        "value": (2, "string", True),
        "effect": (3, "string", True),
        "timeAdded": (4, "Time", False),
    },
    "NodeStatus": {
        "phase": (3, "string", True),
        "addresses": (5, ["NodeAddress"], False),
        "daemonEndpoints": (6, "NodeDaemonEndpoints", True),
        "nodeInfo": (7, "NodeSystemInfo", True),
    },
    "NodeAddress": {"type": (1, "string", True), "address": (2, "string", True)},
    "NodeDaemonEndpoints": {"kubeletEndpoint": (1, "DaemonEndpoint", True)},
    "DaemonEndpoint": {"Port": (1, "int", True)},
    "NodeSystemInfo": {
        "machineID": (1, "string", True),
        "systemUUID": (2, "string", True),
        "bootID": (3, "string", True),
        "kernelVersion": (4, "string", True),
        "osImage": (5, "string", True),
        "containerRuntimeVersion": (6, "string", True),
        "kubeletVersion": (7, "string", True),
        "kubeProxyVersion": (8, "string", True),
        "operatingSystem": (9, "string", True),
        "architecture": (10, "string", True),
    },
}
FIELDS = {m: sorted((number, name, kind, always) for name, (number, kind, always) in fields.items())
          for m, fields in MESSAGES.items()}
EMPTY = {"string": "", "int": 0, "bool": False, "map": {}}


def varint(n):
    n &= (1 << 64) - 1
    out = bytearray()
    while n > 0x7F:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def tagged(number, data):
    return varint(number << 3 | 2) + varint(len(data)) + data


def encode_time(text):
    if not text:
        return b""
    m = re.fullmatch(r"(\d+-\d+-\d+T\d+:\d+:\d+)(?:\.(\d+))?Z", text)
    seconds = calendar.timegm(time.strptime(m.group(1), "%Y-%m-%dT%H:%M:%S"))
    nanos = int((m.group(2) or "0").ljust(9, "0"))
    return b"\x08" + varint(seconds) + b"\x10" + varint(nanos)


def encode_int_or_string(value):
    is_string = isinstance(value, str)
    number = 0 if is_string or value is None else value
    text = value if is_string else ""
    return b"\x08" + varint(int(is_string)) + b"\x10" + varint(number) + tagged(3, text.encode())


def encode_map(number, value):
    return b"".join(tagged(number, tagged(1, k.encode()) + tagged(2, value[k].encode())) for k in sorted(value))


def encode_field(number, kind, value):
    if kind == "string":
        return tagged(number, value.encode())
    if kind == "int" or kind == "bool":
        return varint(number << 3) + varint(int(value))
    if kind == "map":
        return encode_map(number, value)
    if kind == "Time":
        return tagged(number, encode_time(value))
    if kind == "IntOrString":
        return tagged(number, encode_int_or_string(value))
    if kind == "FieldsV1":
        return tagged(number, tagged(1, json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()))
    return tagged(number, encode(kind, value))


def encode(message, obj):
    """The bytes of one message, without an envelope."""
    out = []
    obj = obj or {}
    for number, name, kind, always in FIELDS[message]:
        value = obj.get(name)
        if isinstance(kind, list):
            out.extend(encode_field(number, kind[0], v) for v in value or ())
        elif value is not None or always:
            out.append(encode_field(number, kind, EMPTY.get(kind) if value is None else value))
    return b"".join(out)


def envelope(api_version, kind, raw):
    """A whole body: the magic bytes and a runtime.Unknown."""
    meta = encode("TypeMeta", {"apiVersion": api_version, "kind": kind})
    return MAGIC + tagged(1, meta) + tagged(2, raw) + tagged(3, b"") + tagged(4, b"")


def list_message(metadata, items):
    """A FOOList of encoded items."""
    return tagged(1, encode("ListMeta", metadata)) + b"".join(tagged(2, item) for item in items)


def watch_frame(event_type, body):
    event = tagged(1, event_type.encode()) + tagged(2, tagged(1, body))
    return struct.pack(">I", len(event)) + event
