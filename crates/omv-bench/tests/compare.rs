//! Regressions are called, and equal runs are not: a hundred times each, with the noise that a
//! virtual camera has (0.3 %, `omv_sim::infer::Speed`).

use omv_bench::{Cell, Error, Run, Summary, Verdict, compare};

fn normal(state: &mut u64) -> f64 {
    let mut even = || {
        *state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (*state >> 33) as f64 / f64::from(1_u32 << 31)
    };
    (0..12).map(|_| even()).sum::<f64>() - 6.0
}

/// Thirty frames a cell, as asked for by default.
fn run(seed: u64, slower: f64, noise: f64) -> Run {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut list = |mean: f64| -> Vec<f64> {
        (0..30)
            .map(|_| (mean * slower * (1.0 + noise * normal(&mut state))).round())
            .collect()
    };
    let cells = ["96x96", "240x240", "QVGA", "1024x1024"].map(|size| Cell {
        size: size.to_owned(),
        pixels: "RGB565".to_owned(),
        capture: list(8_400.0),
        infer: list(12_345.0),
        round: list(21_000.0),
        ..Cell::default()
    });
    Run {
        simulated: true,
        cells: cells.to_vec(),
        ..Run::default()
    }
}

fn verdicts(before: &Run, after: &Run) -> Vec<Verdict> {
    let found = compare(before, after).unwrap();
    found.into_iter().map(|one| one.verdict).collect()
}

#[test]
fn five_per_cent_slower_is_called_a_hundred_times_of_a_hundred() {
    for seed in 0..100 {
        let found = verdicts(&run(2 * seed, 1.0, 0.003), &run(2 * seed + 1, 1.05, 0.003));
        assert_eq!(found, vec![Verdict::Slower; 12], "seed {seed}");
    }
}

#[test]
fn equal_runs_are_not_called_a_hundred_times_of_a_hundred() {
    for seed in 0..100 {
        let found = verdicts(&run(2 * seed, 1.0, 0.003), &run(2 * seed + 1, 1.0, 0.003));
        assert_eq!(found, vec![Verdict::Same; 12], "seed {seed}");
    }
}

#[test]
fn a_faster_run_is_no_regression_and_a_cell_that_vanished_is() {
    let before = run(1, 1.0, 0.003);
    assert_eq!(
        verdicts(&before, &run(2, 0.9, 0.003)),
        vec![Verdict::Faster; 12]
    );
    let mut after = run(3, 1.0, 0.003);
    after.cells[1].infer.clear();
    assert!(verdicts(&before, &after).contains(&Verdict::Lost));
}

#[test]
fn noise_as_large_as_the_difference_is_not_called() {
    for seed in 0..20 {
        let found = verdicts(&run(2 * seed, 1.0, 0.2), &run(2 * seed + 1, 1.01, 0.2));
        assert!(
            found.iter().all(|verdict| *verdict == Verdict::Same),
            "{found:?}"
        );
    }
}

#[test]
fn what_is_simulated_is_not_compared_with_what_is_measured() {
    let mut other = run(1, 1.0, 0.003);
    other.simulated = false;
    assert!(matches!(
        compare(&run(1, 1.0, 0.003), &other),
        Err(Error::Nothing(_))
    ));
    assert!(matches!(
        compare(&Run::default(), &Run::default()),
        Err(Error::Nothing(_))
    ));
}

#[test]
fn a_result_comes_back_from_its_file_and_nonsense_does_not() {
    let run = run(4, 1.0, 0.003);
    let text = serde_json::to_string(&run).unwrap();
    assert_eq!(Run::parse("a.json", &text).unwrap(), run);
    let lines = format!("{{\"event\":\"began\"}}\n{{\"event\":\"result\",\"run\":{text}}}\n");
    assert_eq!(Run::parse("a.json", &lines).unwrap(), run);
    // Times whose energy could not be had.
    let failed = "{\"event\":\"result\",\"ok\":false}";
    let lines = format!("{{\"event\":\"measured\",\"run\":{text}}}\n{failed}\n");
    assert_eq!(Run::parse("a.json", &lines).unwrap(), run);
    for bad in ["", "[]", "{}x", "{\"run\":7}", "\u{0}"] {
        assert_eq!(
            Run::parse("a.json", bad).unwrap_err().code(),
            "not-a-result",
            "{bad}"
        );
    }
}

#[test]
fn a_summary_is_what_it_says() {
    let values: Vec<f64> = (1..=100).rev().map(f64::from).collect();
    let summary = Summary::of(&values).unwrap();
    assert_eq!((summary.count, summary.min, summary.max), (100, 1.0, 100.0));
    assert_eq!((summary.p50, summary.mean), (50.5, 50.5));
    assert!((summary.p95 - 95.05).abs() < 1e-9);
    assert_eq!(Summary::of(&[]), None);
}
