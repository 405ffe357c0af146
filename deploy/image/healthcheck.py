"""Is the service alive? Asks /livez of the address it was told to listen on; exit code 0 or 1. Standard library only: it runs often."""

import os
import sys
from http.client import HTTPConnection, HTTPException

ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}


def main() -> int:
    host, _, port = os.environ.get("UNDERTOW__HTTP__LISTEN", "127.0.0.1:9464").strip("\"'").rpartition(":")
    host = host.strip("[]")
    connection = HTTPConnection(ANYWHERE.get(host, host), int(port), timeout=2)
    try:
        connection.request("GET", "/livez")
        return 0 if connection.getresponse().status == 200 else 1
    except (OSError, HTTPException) as error:
        sys.stderr.write(f"/livez: {error}\n")
        return 1
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(main())
