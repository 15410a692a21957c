//! The page of findings against the rules there are.

use omv_python::{Rule, Severity};

#[test]
fn the_page_has_a_row_for_each_rule_in_order() {
    let page = include_str!("../../../../docs/lint.md");
    let rows: Vec<&str> = page
        .lines()
        .filter(|line| line.starts_with("| `"))
        .collect();
    assert_eq!(rows.len(), Rule::ALL.len());
    for (row, rule) in rows.iter().zip(Rule::ALL) {
        let severity = match rule.severity() {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let begin = format!("| `{}` | {severity} | ", rule.name());
        assert!(row.starts_with(&begin), "{row}");
        assert!(
            rule.help().ends_with('.') && rule.help().len() > 20,
            "{begin}"
        );
    }
}
