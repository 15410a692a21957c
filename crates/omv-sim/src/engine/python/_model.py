# What `ml` and `tf` have in common: loading, and arrays of what came out.
import _omv


def load(path, in_frame):
    # The camera's own exception for a file that is not there.
    open(path, "rb").close()
    facts = _omv.call("model_load", path, in_frame)
    found = {"_id": facts["id"], "len": facts["len"], "ram": facts["ram"]}
    for side in ("input", "output"):
        ends = facts[side + "s"]
        for place, part in enumerate(("shape", "dtype", "scale", "zero_point")):
            values = [tuple(end[place]) if place == 0 else end[place] for end in ends]
            found["%s_%s" % (side, part)] = tuple(values)
    return found


def spots(rows, low, high):
    # Groups of neighbours, side by side or one above the other: their box, and the mean of them.
    height, width = len(rows), len(rows[0]) if rows else 0
    left = {(x, y) for y in range(height) for x in range(width) if low <= rows[y][x] <= high}
    found = []
    for y in range(height):
        for x in range(width):
            if (x, y) not in left:
                continue
            left.remove((x, y))
            group, at = [(x, y)], 0
            while at < len(group):
                px, py = group[at]
                at += 1
                for near in ((px + 1, py), (px - 1, py), (px, py + 1), (px, py - 1)):
                    if near in left:
                        left.remove(near)
                        group.append(near)
            xs, ys = [p[0] for p in group], [p[1] for p in group]
            mean = sum(rows[py][px] for px, py in group) / len(group)
            found.append((min(xs), min(ys), max(xs) - min(xs) + 1, max(ys) - min(ys) + 1, len(group), mean))
    return found
