"""A process that records until it is killed: prints the number of each frame once it was handed to the recorder, with the time.

Arguments: directory, file size limit in bytes (0: none), frames to write (0: until killed), seconds between tries after a failure.
"""

from __future__ import annotations

import resource
import sys
import time

from monitor.capture.recorder import Recorder


def main() -> None:
    directory, limit, count, retry = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
    if limit:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    recorder = Recorder(directory, 1.0, retry_seconds=retry)
    recorder.start()
    number = 0
    while not count or number < count:
        at = time.time_ns()
        recorder.frame("fake", 0, b"%d " % number + b"x" * 200, at)
        sys.stdout.write(f"{number} {at}\n")
        sys.stdout.flush()
        number += 1
        if limit or number % 10 == 0:
            time.sleep(0.001)
    recorder.close()
    print(recorder.stats)


if __name__ == "__main__":
    main()
