# Reads a Power Profiler Kit II with the public client: kit.py PORT PLATEAUS PLATEAU SETTLED
# Prints the mean of each plateau of the current, in ampere, without the samples before it settled.
import json
import sys
import time

from ppk2_api.ppk2_api import PPK2_API

port, plateaus, plateau, settled = sys.argv[1], *map(int, sys.argv[2:])
kit = PPK2_API(port, timeout=1)
assert kit.get_modifiers(), "no calibration"
kit.set_source_voltage(5000)
kit.use_ampere_meter()
kit.toggle_DUT_power("ON")
kit.start_measuring()
found, until = [], time.monotonic() + 10
while len(found) < plateaus * plateau:
    assert time.monotonic() < until, f"{len(found)} samples"
    data = kit.get_data()
    if data:
        found += kit.get_samples(data)[0]
    else:
        time.sleep(0.002)
kit.stop_measuring()
# Whoever comes next finds nothing of this.
while kit.get_data():
    time.sleep(0.02)
means = []
for begin in range(0, plateaus * plateau, plateau):
    part = found[begin + settled : begin + plateau]
    means.append(sum(part) / len(part) / 1e6)
print(json.dumps(means))
