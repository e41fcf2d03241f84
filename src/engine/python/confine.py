"""Runs one job in a process of its own: `python3 -S -E confine.py PARENT_PID`, job and orders on fd 0, answer on fd 3.

`confine.py --probe` prints what of the confinement works here, as JSON.
"""

import json
import os
import sys

import job
import sandbox


def main():
    if sys.argv[1] == '--probe':
        abi, missing = sandbox.probe()
        print(json.dumps({'landlock': abi, 'missing': missing}))
        return
    job.keep(job.read_job(0), (0, 3, os.dup(1), os.dup(2)), int(sys.argv[1]))


if __name__ == '__main__':
    main()
