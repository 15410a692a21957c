//! Memory and operators for neural networks.

use omv_boards::{Backend, Version, all, by_name, runtimes};

fn version(text: &str) -> Version {
    text.parse().unwrap()
}

#[test]
fn every_board_lists_its_releases_in_order_and_has_memory_in_each() {
    for board in all() {
        let since: Vec<_> = board.ml.iter().map(|ml| ml.since).collect();
        assert!(since.is_sorted_by(|a, b| a < b), "{}", board.name);
        for ml in &board.ml {
            assert!(!ml.heap.is_empty() && ml.heap.iter().all(|block| *block > 0));
            let sure = |pool: &omv_boards::Pool| pool.sure.is_none_or(|sure| sure <= pool.size);
            assert!(ml.pools.iter().all(sure), "{} {}", board.name, ml.since);
        }
    }
}

#[test]
fn the_rt1062_of_5_0_0_has_the_memory_its_board_file_upstream_says() {
    let ml = by_name("rt1062").unwrap().ml_at(None).unwrap();
    assert_eq!(ml.heap, [64 << 10, 204 << 10, 8 << 20]);
    let pools: Vec<_> = ml.pools.iter().map(|pool| pool.size).collect();
    assert_eq!(pools, [23 << 20, 512 << 10, 64 << 10]);
}

#[test]
fn an_older_release_has_older_memory_and_one_before_all_has_none() {
    let board = by_name("rt1062").unwrap();
    let heap = |text| board.ml_at(Some(version(text))).map(|ml| ml.heap.clone());
    assert_eq!(heap("4.5.2"), Some(vec![280 << 10]));
    assert_eq!(heap("4.6.20"), heap("4.5.6"));
    assert_eq!(heap("4.4.3"), None);
    assert_eq!(by_name("m4").unwrap().ml_at(None), None);
}

#[test]
fn runtimes_follow_the_release() {
    let board = by_name("h7").unwrap();
    let runtime = |text| {
        let version = Some(version(text));
        board.ml_at(version).unwrap().runtime(version).unwrap()
    };
    assert_eq!(runtime("4.5.2").backend, Backend::Libtf);
    assert!(runtime("4.5.2").has("COMPLEX_ABS") && !runtime("4.5.5").has("COMPLEX_ABS"));
    assert!(!runtime("4.5.5").has("RESIZE_BILINEAR") && runtime("4.5.6").has("RESIZE_BILINEAR"));
    assert_eq!(
        runtime("5.0.0"),
        board.ml_at(None).unwrap().runtime(None).unwrap()
    );
    // Upstream registers 112; the one for Ethos-U is the boards' matter.
    assert_eq!(runtime("5.0.0").operators.len(), 111);
}

#[test]
fn no_operator_stands_twice_in_a_runtime() {
    for runtime in runtimes() {
        let names = &runtime.operators;
        assert!(names.is_sorted_by(|a, b| a < b), "{:?}", runtime.since);
    }
}

#[test]
fn a_processor_that_takes_compiled_networks_only_has_no_operators_of_its_own() {
    let ml = by_name("n6").unwrap().ml_at(None).unwrap();
    assert_eq!(
        (ml.backend, ml.runtime(None).is_none()),
        (Backend::Stai, true)
    );
}
