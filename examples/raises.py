# omv run examples/raises.py       Ends with exit code 10 and a traceback that names this file.


def share(cake, people):
    return cake // people


print(share(12, 4))
print(share(12, 0))
