"""The first process of an emulated Pi: it starts the services, buries the dead, and waits.

When it is killed the kernel kills all others with it, which is how the plug is pulled.
"""

import os
import subprocess
import sys
import time

subprocess.run(["/usr/bin/systemctl", "boot"], check=False)
print("up", flush=True)
sys.stdout.close()
while True:
    try:
        os.wait()
    except ChildProcessError:
        time.sleep(0.2)
