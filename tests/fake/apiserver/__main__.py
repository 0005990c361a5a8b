# SPDX-License-Identifier: GPL-2.0-or-later
"""A Kubernetes API server for tests: list, watch, and their faults.

    python3 tests/fake/apiserver [--address 127.0.0.1] [--port 0] [--tls DIRECTORY]

Prints its port and serves until standard input is closed. With --tls it creates ca.crt, client.crt, client.key and
others in the directory and serves HTTPS. Orders are JSON: either one per line on standard input, answered by a line on
standard output, or the body of a POST to /_control. server.py (CONTROLS and settings) and faults.py list them.
"""

import argparse
import json
import sys

sys.dont_write_bytecode = True

import server  # noqa: E402
import tls  # noqa: E402


def serve_orders(srv):
    for line in sys.stdin:
        try:
            answer = srv.control(json.loads(line))
        except ValueError as e:
            answer = {"ok": False, "error": str(e)}
        print(json.dumps(answer), flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--address", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--tls", metavar="DIRECTORY")
    args = parser.parse_args()
    contexts = None
    if args.tls:
        tls.make(args.tls)
        contexts = tls.contexts(args.tls)
    srv = server.Server((args.address, args.port), contexts)
    srv.start()
    print(srv.server_address[1], flush=True)
    serve_orders(srv)


if __name__ == "__main__":
    main()
