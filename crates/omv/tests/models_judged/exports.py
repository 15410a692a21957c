# Reads an export with other people's readers: exports.py FORM FOLDER
# Prints name, label and corners of every box.
import contextlib
import io
import json
import sys
from pathlib import Path

form, folder = sys.argv[1], Path(sys.argv[2])
found = []
if form == "pycocotools":
    from pycocotools.coco import COCO

    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(folder / "annotations.json")
    for image in coco.loadImgs(coco.getImgIds()):
        for one in coco.loadAnns(coco.getAnnIds(imgIds=image["id"])):
            x, y, w, h = one["bbox"]
            assert one["area"] == w * h
            label = coco.loadCats(one["category_id"])[0]["name"]
            found.append([image["file_name"], label, [x, y, x + w, y + h]])
        assert (folder / "images" / image["file_name"]).is_file()
else:
    from globox import AnnotationSet

    names = None
    if form == "coco":
        read = AnnotationSet.from_coco(folder / "annotations.json")
    elif form == "voc":
        read = AnnotationSet.from_pascal_voc(folder / "Annotations")
        listed = (folder / "ImageSets/Main/trainval.txt").read_text().split()
        assert sorted(listed) == sorted(one.image_id.removesuffix(".jpg") for one in read)
        assert all((folder / "JPEGImages" / one.image_id).is_file() for one in read)
    else:
        import yaml

        about = yaml.safe_load((folder / "data.yaml").read_text())
        names = about["names"]
        images = folder / about["path"] / about["train"]
        read = AnnotationSet.from_yolo_darknet(folder / "labels", image_folder=images)
    for annotation in read:
        assert tuple(annotation.image_size) == (320, 240), annotation
        for box in annotation.boxes:
            label = names[int(box.label)] if names else box.label
            found.append([annotation.image_id, label, [box.xmin, box.ymin, box.xmax, box.ymax]])
print(json.dumps(found))
