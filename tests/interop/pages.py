"""Serves the test pages on 127.0.0.1, with the browser phone's own JsSIP and the SIP.js beside the pages."""

import functools
import http.server
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
JSSIP = os.path.join(HERE, "..", "..", "src", "admin", "ui", "vendor", "jssip.min.js")


class Pages(http.server.SimpleHTTPRequestHandler):
    extensions_map = {".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", "": "application/octet-stream"}

    def translate_path(self, path):
        if path == "/vendor/jssip.min.js":
            return JSSIP
        return super().translate_path(path)


if __name__ == "__main__":
    handler = functools.partial(Pages, directory=os.path.join(HERE, "pages"))
    http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), handler).serve_forever()
