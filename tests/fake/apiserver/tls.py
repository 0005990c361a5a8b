# SPDX-License-Identifier: GPL-2.0-or-later
"""Temporary certificates, made with the openssl program."""

import os
import ssl
import subprocess

NAMES = "IP:127.0.0.1,IP:::1,DNS:localhost,DNS:kubernetes"
# which certificate the server shows: file name, who signs it, its names
SERVERS = {
    "good": ("server", "ca", NAMES),
    "wrong-name": ("wrong", "ca", "DNS:wrong.example"),
    "other-ca": ("other", "other-ca", NAMES),
}


def openssl(directory, *args):
    subprocess.run(["openssl", *args], cwd=directory, check=True, stdin=subprocess.DEVNULL,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def request(directory, name, subject, *args):
    openssl(directory, "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", subject,
            "-keyout", name + ".key", *args)


def make_ca(directory, name):
    request(directory, name, "/CN=" + name, "-x509", "-days", "2", "-out", name + ".crt")


def make_signed(directory, name, ca, subject, extensions):
    request(directory, name, subject, "-out", name + ".csr")
    with open(os.path.join(directory, name + ".ext"), "w", encoding="ascii") as f:
        f.write(extensions + "\n")
    openssl(directory, "x509", "-req", "-in", name + ".csr", "-CA", ca + ".crt", "-CAkey", ca + ".key",
            "-CAcreateserial", "-days", "2", "-extfile", name + ".ext", "-out", name + ".crt")


def make(directory):
    """ca.crt, other-ca.crt; client.crt and .key, and a second pair, client2; what the server needs."""
    for ca in ("ca", "other-ca"):
        make_ca(directory, ca)
    for name, ca, names in SERVERS.values():
        make_signed(directory, name, ca, "/CN=kube-apiserver",
                    "subjectAltName=%s\nextendedKeyUsage=serverAuth" % names)
    for name in ("client", "client2"):
        make_signed(directory, name, "ca", "/O=system:node-proxiers/CN=" + name, "extendedKeyUsage=clientAuth")


def contexts(directory):
    """{how: SSLContext}; client certificates are looked at where one is shown."""
    ret = {}
    for how, (name, _, _) in SERVERS.items():
        ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ctx.load_cert_chain(os.path.join(directory, name + ".crt"), os.path.join(directory, name + ".key"))
        ctx.load_verify_locations(os.path.join(directory, "ca.crt"))
        ctx.verify_mode = ssl.CERT_OPTIONAL
        ctx.set_alpn_protocols(["http/1.1"])
        ret[how] = ctx
    return ret
