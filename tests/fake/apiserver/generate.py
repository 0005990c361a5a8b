# SPDX-License-Identifier: GPL-2.0-or-later
"""Clusters of any size, with the metadata of real ones."""

import ipaddress


def managed(manager, fields):
    return [{"manager": manager, "operation": "Update", "apiVersion": "v1", "time": "2026-11-21T00:19:24Z",
             "fieldsType": "FieldsV1", "fieldsV1": fields}]


SERVICE_FIELDS = {"f:spec": {
    "f:clusterIP": {}, "f:internalTrafficPolicy": {},
    "f:ports": {".": {}, 'k:{"port":80,"protocol":"TCP"}': {
        ".": {}, "f:name": {}, "f:port": {}, "f:protocol": {}, "f:targetPort": {}}},
    "f:selector": {}, "f:sessionAffinity": {}, "f:type": {}}}
SLICE_FIELDS = {
    "f:addressType": {}, "f:endpoints": {},
    "f:metadata": {"f:annotations": {".": {}, "f:endpoints.kubernetes.io/last-change-trigger-time": {}},
                   "f:generateName": {},
                   "f:labels": {".": {}, "f:app": {}, "f:endpointslice.kubernetes.io/managed-by": {},
                                "f:kubernetes.io/service-name": {}},
                   "f:ownerReferences": {".": {}, 'k:{"uid":"9debc33d-d8b0-4a06-b80b-4c67a0ca25a9"}': {}}},
    "f:ports": {}}


def service(i):
    ip = str(ipaddress.IPv4Address("10.96.0.0") + 256 + i)
    name = "svc-%d" % i
    return {"kind": "Service",
            "metadata": {"name": name, "namespace": "bench", "labels": {"app": name},
                         "managedFields": managed("kubectl-client-side-apply", SERVICE_FIELDS)},
            "spec": {"ports": [{"name": "http", "protocol": "TCP", "port": 80, "targetPort": 8080}],
                     "selector": {"app": name}, "clusterIP": ip, "clusterIPs": [ip], "type": "ClusterIP",
                     "sessionAffinity": "None", "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack",
                     "internalTrafficPolicy": "Cluster"},
            "status": {"loadBalancer": {}}}


def endpoint(i, j, count):
    ip = str(ipaddress.IPv4Address("10.128.0.0") + i * count + j + 1)
    return {"addresses": [ip],
            "conditions": {"ready": True, "serving": True, "terminating": False},
            "targetRef": {"kind": "Pod", "namespace": "bench", "name": "svc-%d-7d9c5b8f6d-%05d" % (i, j),
                          "uid": "0b9a2a0e-5f0e-4d4e-9d7c-%012d" % (i * count + j)},
            "nodeName": "node-%d" % (j % 100), "zone": "zone-%s" % "abc"[j % 3]}


def slice_of(i, count):
    name = "svc-%d" % i
    return {"kind": "EndpointSlice",
            "metadata": {"name": name + "-x7k2p", "generateName": name + "-", "namespace": "bench", "generation": 3,
                         "labels": {"app": name, "kubernetes.io/service-name": name,
                                    "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io"},
                         "annotations": {
                             "endpoints.kubernetes.io/last-change-trigger-time": "2026-11-21T00:19:24Z"},
                         "ownerReferences": [{"apiVersion": "v1", "kind": "Service", "name": name,
                                              "uid": "9debc33d-d8b0-4a06-b80b-4c67a0ca25a9", "controller": True,
                                              "blockOwnerDeletion": True}],
                         "managedFields": managed("kube-controller-manager", SLICE_FIELDS)},
            "addressType": "IPv4",
            "endpoints": [endpoint(i, j, count) for j in range(count)],
            "ports": [{"name": "http", "protocol": "TCP", "port": 8080}]}


def cluster(services, endpoints):
    """Services with one EndpointSlice each, of the given numbers."""
    for i in range(services):
        yield service(i)
        yield slice_of(i, endpoints)
