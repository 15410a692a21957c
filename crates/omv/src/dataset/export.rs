//! A set in the forms that training services and frameworks take.
//!
//! ```text
//!   edge-impulse   ball.00001.jpg ..., info.labels
//!   coco           images/, annotations.json
//!   yolo           images/, labels/*.txt, data.yaml
//!   voc            JPEGImages/, Annotations/*.xml, ImageSets/Main/trainval.txt
//! ```
//!
//! A picture without boxes is one thing from edge to edge for the three that know nothing but
//! boxes; it is said how many those were.

use std::fs;
use std::path::{Path, PathBuf};

use omv_bench::escaped;
use serde_json::{Value, json};

use super::{Area, Note, classes, load, notes, pictures};
use crate::fail::Fail;

/// A form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Form {
    /// For Edge Impulse's uploader: `--info-file info.labels`
    EdgeImpulse,
    /// One JSON with boxes
    Coco,
    /// A text file beside each picture
    Yolo,
    /// An XML file beside each picture (Pascal VOC)
    Voc,
}

/// What came of it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// Pictures.
    pub pictures: usize,
    /// Those without boxes.
    pub whole: usize,
    /// Files that are no pictures.
    pub broken: usize,
}

/// A picture on its way.
struct Item {
    from: PathBuf,
    /// Its name in the export, without an ending.
    stem: String,
    class: usize,
    width: u32,
    height: u32,
    boxes: Vec<Area>,
}

impl Item {
    /// Its things; the whole of it where none is known.
    fn areas(&self) -> Vec<Area> {
        match self.boxes.is_empty() {
            true => vec![Area {
                x: 0,
                y: 0,
                width: self.width,
                height: self.height,
            }],
            false => self.boxes.clone(),
        }
    }
}

/// Writes a set into a folder that is empty or not there yet.
pub fn export(root: &Path, form: Form, to: &Path) -> Result<Done, Fail> {
    let empty = fs::read_dir(to).map_or(true, |mut entries| entries.next().is_none());
    if !empty {
        return Err(Fail::Usage {
            what: format!("{} is not empty", to.display()),
            help: "Name another folder: nothing is overwritten.".into(),
        });
    }
    let classes = classes(root)?;
    let labels: Vec<&str> = classes.iter().map(|(_, label, _)| &**label).collect();
    if labels.is_empty() {
        return Err(Fail::Usage {
            what: format!("there are no pictures in {}", root.display()),
            help: "`omv capture FOLDER --label NAME` takes some.".into(),
        });
    }
    let known = notes(root);
    let mut done = Done::default();
    let mut items = Vec::new();
    for (class, (_, label, folder)) in classes.iter().enumerate() {
        for name in pictures(root, folder)? {
            let path = format!("{folder}/{name}");
            let from = root.join(folder).join(&name);
            let Some(shot) = load(&from) else {
                done.broken += 1;
                continue;
            };
            let note: Option<&Note> = known.iter().rfind(|note| note.picture == path);
            let stem = name.rsplit_once('.').map_or(&*name, |(stem, _)| stem);
            let inside = |area: &Area| inside(*area, shot.width, shot.height);
            let boxes: Vec<Area> = note.map_or_else(Vec::new, |note| {
                note.boxes.iter().filter_map(inside).collect()
            });
            done.whole += usize::from(boxes.is_empty());
            items.push(Item {
                stem: format!("{label}.{stem}"),
                width: shot.width,
                height: shot.height,
                from,
                class,
                boxes,
            });
        }
    }
    done.pictures = items.len();
    let pictures = match form {
        Form::EdgeImpulse => to.to_owned(),
        Form::Coco | Form::Yolo => to.join("images"),
        Form::Voc => to.join("JPEGImages"),
    };
    make(&pictures)?;
    for item in &items {
        let target = pictures.join(format!("{}.jpg", item.stem));
        fs::copy(&item.from, &target).map_err(|error| Fail::file(&target, "writing", error))?;
    }
    match form {
        Form::EdgeImpulse => edge_impulse(to, &items, &labels)?,
        Form::Coco => coco(to, &items, &labels)?,
        Form::Yolo => yolo(to, &items, &labels)?,
        Form::Voc => voc(to, &items, &labels)?,
    }
    Ok(done)
}

/// The part of a box that is in the picture.
fn inside(area: Area, width: u32, height: u32) -> Option<Area> {
    let (x, y) = (area.x.min(width), area.y.min(height));
    let cut = Area {
        x,
        y,
        width: area.width.min(width - x),
        height: area.height.min(height - y),
    };
    (cut.width > 0 && cut.height > 0).then_some(cut)
}

fn make(path: &Path) -> Result<(), Fail> {
    fs::create_dir_all(path).map_err(|error| Fail::file(path, "writing", error))
}

fn write(path: &Path, text: &str) -> Result<(), Fail> {
    fs::write(path, text).map_err(|error| Fail::file(path, "writing", error))
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default() + "\n"
}

/// Source: docs.edgeimpulse.com, "Image formats" and "Edge Impulse exporter format (info.labels)".
fn edge_impulse(to: &Path, items: &[Item], labels: &[&str]) -> Result<(), Fail> {
    let files = items.iter().map(|item| {
        let label = labels[item.class];
        let mut file = json!({
            "path": format!("{}.jpg", item.stem), "name": item.stem, "category": "split",
            "label": { "type": "label", "label": label },
        });
        if !item.boxes.is_empty() {
            let boxes = item.boxes.iter().map(|area| {
                json!({ "label": label, "x": area.x, "y": area.y, "width": area.width, "height": area.height })
            });
            file["label"] = json!({ "type": "unlabeled" });
            file["boundingBoxes"] = boxes.collect();
        }
        file
    });
    let info = json!({ "version": 1, "files": files.collect::<Vec<_>>() });
    write(&to.join("info.labels"), &pretty(&info))
}

/// Source: cocodataset.org, "Data format": boxes are x, y, width, height.
fn coco(to: &Path, items: &[Item], labels: &[&str]) -> Result<(), Fail> {
    let categories = labels.iter().enumerate();
    let categories =
        categories.map(|(id, label)| json!({ "id": id + 1, "name": label, "supercategory": "" }));
    let images = items.iter().enumerate().map(|(id, item)| {
        json!({ "id": id + 1, "file_name": format!("{}.jpg", item.stem), "width": item.width, "height": item.height })
    });
    let mut annotations = Vec::new();
    for (image, item) in items.iter().enumerate() {
        for area in item.areas() {
            annotations.push(json!({
                "id": annotations.len() + 1, "image_id": image + 1, "category_id": item.class + 1,
                "bbox": [area.x, area.y, area.width, area.height],
                "area": u64::from(area.width) * u64::from(area.height), "iscrowd": 0,
            }));
        }
    }
    let all = json!({
        "info": { "description": "pictures of an OpenMV camera" },
        "images": images.collect::<Vec<_>>(), "annotations": annotations,
        "categories": categories.collect::<Vec<_>>(),
    });
    write(&to.join("annotations.json"), &pretty(&all))
}

/// Source: docs.ultralytics.com, "Object detection datasets": class, middle and size as parts of one.
fn yolo(to: &Path, items: &[Item], labels: &[&str]) -> Result<(), Fail> {
    make(&to.join("labels"))?;
    for item in items {
        let (width, height) = (f64::from(item.width), f64::from(item.height));
        let lines = item.areas().into_iter().map(|area| {
            let (w, h) = (f64::from(area.width), f64::from(area.height));
            let (x, y) = (f64::from(area.x) + w / 2.0, f64::from(area.y) + h / 2.0);
            let class = item.class;
            format!(
                "{class} {:.6} {:.6} {:.6} {:.6}\n",
                x / width,
                y / height,
                w / width,
                h / height
            )
        });
        let text: String = lines.collect();
        write(&to.join("labels").join(format!("{}.txt", item.stem)), &text)?;
    }
    let names = labels.iter().enumerate();
    let names: String = names
        // Text as JSON writes it is text in YAML, whatever is in it.
        .map(|(id, label)| format!("  {id}: {}\n", Value::from(*label)))
        .collect();
    let text = format!("path: .\ntrain: images\nval: images\nnames:\n{names}");
    write(&to.join("data.yaml"), &text)
}

/// Source: host.robots.ox.ac.uk, "VOC2012 development kit": corners count from 1, both inside.
fn voc(to: &Path, items: &[Item], labels: &[&str]) -> Result<(), Fail> {
    let (annotations, sets) = (to.join("Annotations"), to.join("ImageSets/Main"));
    make(&annotations)?;
    make(&sets)?;
    for item in items {
        let objects = item.areas().into_iter().map(|area| {
            format!(
                "  <object>\n    <name>{}</name>\n    <pose>Unspecified</pose>\n    <truncated>0</truncated>\n    <difficult>0</difficult>\n    <bndbox><xmin>{}</xmin><ymin>{}</ymin><xmax>{}</xmax><ymax>{}</ymax></bndbox>\n  </object>\n",
                escaped(labels[item.class]), area.x + 1, area.y + 1, area.x + area.width, area.y + area.height
            )
        });
        let objects: String = objects.collect();
        let text = format!(
            "<annotation>\n  <folder>JPEGImages</folder>\n  <filename>{}.jpg</filename>\n  <size><width>{}</width><height>{}</height><depth>3</depth></size>\n  <segmented>0</segmented>\n{objects}</annotation>\n",
            escaped(&item.stem),
            item.width,
            item.height
        );
        write(&annotations.join(format!("{}.xml", item.stem)), &text)?;
    }
    let stems: String = items
        .iter()
        .map(|item| format!("{}\n", item.stem))
        .collect();
    write(&sets.join("trainval.txt"), &stems)
}

#[cfg(test)]
mod tests {
    use super::super::Class;
    use super::super::tests::spot;
    use super::*;

    /// Two classes; the first picture has a box that reaches over the edge.
    fn set(root: &Path) {
        let mut ball = Class::open(root, "ball", Some(3), b"").unwrap();
        let area = |x, y, width, height| Area {
            x,
            y,
            width,
            height,
        };
        let boxes = vec![area(4, 8, 12, 16), area(60, 40, 30, 30), area(200, 0, 5, 5)];
        ball.add(&spot(4), 7, "camera", boxes).unwrap();
        let mut figure = Class::open(root, "figure", Some(3), b"").unwrap();
        figure.add(&spot(40), 7, "camera", Vec::new()).unwrap();
        fs::write(root.join("00001.ball.class/00009.jpg"), "no picture").unwrap();
    }

    fn exported(form: Form) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let (root, to) = (folder.path().join("set"), folder.path().join("out"));
        set(&root);
        let done = export(&root, form, &to).unwrap();
        let wanted = Done {
            pictures: 2,
            whole: 1,
            broken: 1,
        };
        assert_eq!(done, wanted);
        assert!(export(&root, form, &to).is_err(), "it is full now");
        (folder, to)
    }

    fn read(path: PathBuf) -> String {
        fs::read_to_string(path).unwrap()
    }

    #[test]
    fn edge_impulse_gets_labels_or_boxes() {
        let (_folder, to) = exported(Form::EdgeImpulse);
        let info: Value = serde_json::from_str(&read(to.join("info.labels"))).unwrap();
        assert_eq!(info["files"][0]["boundingBoxes"][1]["width"], 4);
        assert_eq!(info["files"][1]["label"]["label"], "figure");
        assert!(to.join("ball.00001.jpg").exists());
    }

    #[test]
    fn coco_has_every_box_with_its_picture_and_category() {
        let (_folder, to) = exported(Form::Coco);
        let all: Value = serde_json::from_str(&read(to.join("annotations.json"))).unwrap();
        assert_eq!(all["annotations"].as_array().unwrap().len(), 3);
        assert_eq!(all["annotations"][2]["bbox"], json!([0, 0, 64, 48]));
        assert_eq!(
            all["categories"][1],
            json!({ "id": 2, "name": "figure", "supercategory": "" })
        );
    }

    #[test]
    fn yolo_has_middles_as_parts_of_the_picture() {
        let (_folder, to) = exported(Form::Yolo);
        let text = read(to.join("labels/ball.00001.txt"));
        assert_eq!(
            text.lines().next(),
            Some("0 0.156250 0.333333 0.187500 0.333333")
        );
        assert!(read(to.join("data.yaml")).contains("  1: \"figure\"\n"));
    }

    #[test]
    fn a_label_that_others_made_is_text_and_no_markup() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("set");
        set(&root);
        let odd = root.join("00003.a&b #c.class");
        fs::create_dir(&odd).unwrap();
        fs::copy(root.join("00001.ball.class/00001.jpg"), odd.join("1.jpg")).unwrap();
        for form in [Form::Voc, Form::Yolo] {
            export(&root, form, &folder.path().join(format!("{form:?}"))).unwrap();
        }
        let xml = "Voc/Annotations/a&b #c.1.xml";
        let text = read(folder.path().join(xml));
        assert!(text.contains("<name>a&amp;b #c</name>"), "{text}");
        let text = read(folder.path().join("Yolo/data.yaml"));
        assert!(text.contains("  2: \"a&b #c\"\n"), "{text}");
    }

    #[test]
    fn voc_counts_corners_from_one() {
        let (_folder, to) = exported(Form::Voc);
        let text = read(to.join("Annotations/ball.00001.xml"));
        assert!(
            text.contains("<xmin>5</xmin><ymin>9</ymin><xmax>16</xmax><ymax>24</ymax>"),
            "{text}"
        );
        assert_eq!(
            read(to.join("ImageSets/Main/trainval.txt")),
            "ball.00001\nfigure.00001\n"
        );
    }
}
