//! What a check says, as lines and as JSON.

use omv_fat::{Finding, Layer, Report, Seen, Severity};
use serde_json::{Value, json};

use crate::fail::Fail;
use crate::output::{Output, clean, size};

/// Findings a person is shown of one kind.
const SHOWN: usize = 5;

/// A volume in one line.
fn volume(seen: &Seen) -> String {
    let volume = &seen.volume;
    let label = seen.label.as_deref().unwrap_or("no label");
    format!(
        "{} \"{}\", {} in clusters of {}, {} files, {} directories, {} free",
        volume.form.name(),
        clean(label.trim()),
        bytes(volume.size),
        bytes(volume.cluster.into()),
        seen.files,
        seen.directories,
        bytes(u64::from(seen.free) * u64::from(volume.cluster)),
    )
}

fn bytes(count: u64) -> String {
    if count >= 1 << 30 {
        return format!("{:.1} GiB", count as f64 / (1_u64 << 30) as f64);
    }
    size(count)
}

/// The whole report.
pub fn report(title: &str, report: &Report, output: &Output) -> Result<(), Fail> {
    if output.json {
        for finding in &report.findings {
            output.object(&object(finding))?;
        }
        return Ok(());
    }
    output.line(&format!("{}: {}", clean(title), report.table))?;
    for seen in &report.volumes {
        output.line(&format!("  {}", volume(seen)))?;
    }
    for layer in Layer::ALL {
        let verdict = match report.verdict(layer) {
            None => output.paint("32", "good"),
            Some(severity) => {
                let of_layer = report.findings.iter().map(|finding| finding.kind.about());
                let count = of_layer
                    .filter(|about| about.layer == layer && about.severity == severity)
                    .count();
                let ending = if count == 1 { "" } else { "s" };
                output.paint(
                    colour(severity),
                    &format!("{count} {}{ending}", severity.name()),
                )
            }
        };
        output.line(&format!("  {:<17} {verdict}", layer.name()))?;
    }
    let mut shown: std::collections::BTreeMap<&str, usize> = std::collections::BTreeMap::new();
    for one in &report.findings {
        let count = shown.entry(one.kind.code()).or_default();
        *count += 1;
        if *count <= SHOWN {
            finding(one, output)?;
        }
    }
    for (code, count) in shown.into_iter().filter(|(_, count)| *count > SHOWN) {
        output.line(&format!(
            "... and {} more of {code}; --json has all",
            count - SHOWN
        ))?;
    }
    if report.more > 0 {
        output.line(&format!("... and {} more that were not kept", report.more))?;
    }
    Ok(())
}

fn colour(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "1;31",
        Severity::Warning => "33",
        Severity::Note => "36",
    }
}

fn finding(one: &Finding, output: &Output) -> Result<(), Fail> {
    let about = one.kind.about();
    let head = output.paint(
        colour(about.severity),
        &format!("{}[{}]:", about.severity.name(), about.code),
    );
    let path = one.path.as_ref().map(|path| format!("{}: ", clean(path)));
    output.line(&format!(
        "{head} {}{} ({})",
        path.unwrap_or_default(),
        about.title,
        clean(&one.detail)
    ))?;
    output.line(&format!("  camera: {}", about.camera))?;
    output.line(&format!("  PC:     {}", about.pc))?;
    if !one.repair.is_empty() {
        output.line(&format!("  repair: {} ({})", one.repair, one.loss.name()))?;
    }
    Ok(())
}

fn object(one: &Finding) -> Value {
    let about = one.kind.about();
    json!({
        "event": "finding",
        "code": about.code,
        "layer": about.layer.name(),
        "severity": about.severity.name(),
        "volume": one.volume,
        "path": one.path.as_deref().map(clean),
        "clusters": one.clusters,
        "title": about.title,
        "detail": clean(&one.detail),
        "camera": about.camera,
        "pc": about.pc,
        "repair": (!one.repair.is_empty()).then_some(&one.repair),
        "loss": (!one.edits.is_empty()).then_some(one.loss.name()),
    })
}

/// What a result says about a report.
pub fn summary(report: &Report) -> Value {
    let count = |severity: Severity| {
        let all = report.findings.iter();
        all.filter(|finding| finding.kind.about().severity == severity)
            .count()
    };
    let volumes: Vec<Value> = report
        .volumes
        .iter()
        .map(|seen| {
            json!({
                "form": seen.volume.form.name(),
                "label": seen.label.as_deref().map(clean),
                "start": seen.volume.start,
                "bytes": seen.volume.size,
                "cluster_bytes": seen.volume.cluster,
                "clusters": seen.volume.clusters,
                "free_clusters": seen.free,
                "files": seen.files,
                "directories": seen.directories,
                "main_py": seen.main,
                "camera_mounts": seen.camera,
            })
        })
        .collect();
    json!({
        "healthy": report.is_healthy(),
        "errors": count(Severity::Error),
        "warnings": count(Severity::Warning),
        "notes": count(Severity::Note),
        "table": report.table,
        "volumes": volumes,
    })
}
