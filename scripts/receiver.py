#!/usr/bin/env python3
"""A webhook receiver for the tests and the demo: writes every request down and answers as told."""

import argparse
import datetime
import http.server
import json
import signal
import socketserver
import sys
import threading
import time


class Receiver(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, options):
        self.options = options
        self.out = open(options.out, "a", encoding="utf-8")
        self.lock = threading.Lock()
        self.count = 0
        super().__init__(("127.0.0.1", options.port), Handler)

    def server_bind(self):
        # HTTPServer would look its own name up, which hangs where there is no name server.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]

    def record(self, request):
        """Append the request as one line and return how many came before it."""
        with self.lock:
            self.out.write(json.dumps(request, ensure_ascii=False) + "\n")
            self.out.flush()
            self.count += 1
            return self.count - 1


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def read_body(self):
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return body

    def handle_any(self):
        options = self.server.options
        body = self.read_body()
        # Written before the answer: whoever has the answer finds the line in the file.
        before = self.server.record({
            "time": datetime.datetime.now(datetime.timezone.utc).isoformat(),
            "method": self.command,
            "path": self.path,
            "headers": dict(self.headers),
            "body": body.decode("utf-8", "backslashreplace"),
        })
        time.sleep(options.delay)
        fails = before < options.fail_first
        answer = b'{"ok": false}\n' if fails else b'{"ok": true}\n'
        self.send_response(options.status if fails else 200)
        if fails and options.retry_after is not None:
            self.send_header("Retry-After", str(options.retry_after))
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any

    def handle(self):
        try:
            super().handle()
        except ConnectionError:
            # The client went away, for example because --delay is longer than its patience: that is a test's wish.
            self.close_connection = True

    def log_message(self, *_):
        pass


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--out", required=True, metavar="FILE", help="one JSON line per request is appended here")
    parser.add_argument("--fail-first", type=int, default=0, metavar="N", help="answer the first N with --status")
    parser.add_argument("--status", type=int, default=503, metavar="CODE")
    parser.add_argument("--delay", type=float, default=0, metavar="SECONDS", help="wait before every answer")
    parser.add_argument("--retry-after", metavar="S", help="send this Retry-After with every failure")
    return parser.parse_args()


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with Receiver(parse_arguments()) as server:
        print(f"listening on {server.server_port}", flush=True)
        try:
            server.serve_forever(poll_interval=0.1)
        except KeyboardInterrupt:
            pass


if __name__ == "__main__":
    main()
