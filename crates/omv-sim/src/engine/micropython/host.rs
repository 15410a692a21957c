//! What the interpreter finds around it: time, setjmp, and the end of a script.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender};
use std::time::Duration;

use wasmi::{
    AsContext, AsContextMut, Caller, Error, ExternType, Func, Linker, Memory, Module, Nullable,
    ResumableCall, Store, StoreContextMut, Table, Val,
};

use super::Go;
use super::files::{self, Files};
use crate::engine::{Outcome, Ran, Script};
use crate::running::Shared;
use crate::running::requests::Call;

/// Instructions in a millisecond of camera time. Python is about as fast then as on a slow
/// camera; an interpreter on a machine of today keeps up in real time.
const FUEL_PER_MILLI: u64 = 200_000;
/// Most instructions between two looks at the clock.
const MOST_FUEL: u64 = 20 * FUEL_PER_MILLI;
/// Bytes of the interpreter's heap, and words of its stack.
const HEAP: i32 = 4 << 20;
const PYSTACK: i32 = 2 * 1024;
/// Python that makes a camera of the interpreter.
const PRELUDE: &str = "import sys\nsys.path[:]=['/_omv']\nimport _start\n";

/// The line to the camera's thread.
pub struct Line {
    pub ready: Receiver<Go>,
    pub tell: SyncSender<Ran>,
    pub interrupt: Arc<AtomicBool>,
}

/// The script's thread was told to end, or ends by itself this way.
#[derive(Debug)]
pub struct Quit(pub Option<Outcome>);

impl std::fmt::Display for Quit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the script ends")
    }
}

impl wasmi::errors::HostError for Quit {}

/// C's longjmp on its way down the stack.
#[derive(Debug)]
struct Longjmp;

impl std::fmt::Display for Longjmp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("longjmp")
    }
}

impl wasmi::errors::HostError for Longjmp {}

/// Functions and memory of the interpreter that are used all the time.
#[derive(Clone, Copy)]
struct Inside {
    memory: Memory,
    table: Table,
    interrupt: Func,
    stack_get: Func,
    stack_set: Func,
    set_threw: Func,
}

/// Everything the interpreter's host keeps.
pub struct Host {
    pub works: Shared,
    pub files: Files,
    line: Line,
    inside: Option<Inside>,
    /// The camera's time when `granted` fuel was filled in.
    base: Duration,
    granted: u64,
    /// The call of a channel's method that is under way.
    pub called: Option<Call>,
    /// The camera's time up to which may be lived.
    limit: Duration,
    seed: u32,
}

pub type Here<'a> = Caller<'a, Host>;

fn inside(host: &Host) -> Result<Inside, Error> {
    host.inside.ok_or_else(|| Error::new("not started"))
}

/// The interpreter's memory.
pub fn memory(here: &Here<'_>) -> Result<Memory, Error> {
    Ok(inside(here.data())?.memory)
}

/// The camera's time now.
pub fn now<C: AsContext<Data = Host>>(here: C) -> Duration {
    let context = here.as_context();
    let left = context.get_fuel().unwrap_or(0);
    let host = context.data();
    host.base + spent(host.granted.saturating_sub(left))
}

fn spent(fuel: u64) -> Duration {
    Duration::from_nanos(fuel * 1_000_000 / FUEL_PER_MILLI)
}

/// Goes to a moment and fills up fuel to the end of the slice.
fn set_clock(
    context: &mut StoreContextMut<'_, Host>,
    at: Duration,
    least: u64,
) -> Result<(), Error> {
    let host = context.data_mut();
    host.base = at;
    let room = host.limit.saturating_sub(at).as_nanos() as u64;
    let fuel = (room / 1000 * FUEL_PER_MILLI / 1000)
        .min(MOST_FUEL)
        .max(least)
        .max(1000);
    host.granted = fuel;
    context.set_fuel(fuel)
}

/// Says that there is nothing to do before a moment, and waits until the camera is there.
/// Whether somebody wants the script to stop.
fn hand_over(context: &mut StoreContextMut<'_, Host>, until: Duration) -> Result<(), Error> {
    let host = context.data_mut();
    let line = &host.line;
    let go = match line.tell.send(Ran::Until(until)) {
        Ok(()) => line.ready.recv().ok(),
        Err(_) => None,
    };
    let Some(Go(limit)) = go else {
        return Err(Error::host(Quit(None)));
    };
    host.limit = limit;
    Ok(())
}

/// Raises `KeyboardInterrupt` if that was asked for.
fn look_for_stop(mut context: StoreContextMut<'_, Host>) -> Result<bool, Error> {
    if !context.data().line.interrupt.swap(false, Ordering::Relaxed) {
        return Ok(false);
    }
    let interrupt = inside(context.data())?.interrupt;
    drive(&mut context, interrupt, &[], &mut [])?;
    Ok(true)
}

/// Sleeps until a moment, or until the script is to stop or to answer for a channel.
pub fn sleep_until(here: &mut Here<'_>, until: Duration) -> Result<(), Error> {
    let mut at = now(&*here);
    let mut context = here.as_context_mut();
    loop {
        if until <= context.data().limit.max(at) {
            at = at.max(until);
            return set_clock(&mut context, at, 0);
        }
        hand_over(&mut context, until)?;
        let limit = context.data().limit;
        at = at.max(limit.min(until));
        set_clock(&mut context, at, 0)?;
        let asked = context.data().works.inside().requests.are_waiting();
        if look_for_stop(context.as_context_mut())? || asked {
            return Ok(());
        }
    }
}

/// Goes to a moment, also to one before now: what the script did meanwhile took no time of the
/// camera's. Never before a moment that the script has seen.
pub fn go_to(here: &mut Here<'_>, at: Duration) -> Result<(), Error> {
    if at >= now(&*here) {
        return sleep_until(here, at);
    }
    set_clock(&mut here.as_context_mut(), at, 0)
}

/// Calls a function of the interpreter, slice by slice.
pub fn drive<C: AsContextMut<Data = Host>>(
    mut here: C,
    func: Func,
    arguments: &[Val],
    results: &mut [Val],
) -> Result<(), Error> {
    let mut call = func.call_resumable(here.as_context_mut(), arguments, results)?;
    loop {
        match call {
            ResumableCall::Finished => return Ok(()),
            ResumableCall::HostTrap(trap) => return Err(trap.into_host_error()),
            ResumableCall::OutOfFuel(paused) => {
                let least = paused.required_fuel();
                let mut context = here.as_context_mut();
                let at = now(&context);
                let limit = context.data().limit;
                if at >= limit {
                    // Not `at`: it computes, and how soon it goes on is the camera's choice.
                    hand_over(&mut context, limit)?;
                }
                // Stopping executes a little of the interpreter itself.
                set_clock(&mut context, at, least + 10_000)?;
                look_for_stop(context)?;
                let mut context = here.as_context_mut();
                if context.get_fuel()? < least {
                    let at = now(&context);
                    set_clock(&mut context, at, least)?;
                }
                call = paused.resume(here.as_context_mut(), results)?;
            }
        }
    }
}

/// One script, from the first instruction of the interpreter to its last.
pub fn live(module: &Module, works: Shared, line: Line, start: Duration, script: &Script) {
    let Ok(Go(limit)) = line.ready.recv() else {
        return;
    };
    let tell = line.tell.clone();
    let host = Host {
        files: Files::new(&works),
        works: works.clone(),
        line,
        inside: None,
        base: start,
        granted: 0,
        called: None,
        limit,
        seed: 1,
    };
    let outcome = match execute(module, host, script) {
        Ok(outcome) => outcome,
        Err(error) => match error.downcast_ref::<Quit>() {
            Some(Quit(None)) => return,
            Some(Quit(Some(outcome))) => outcome.clone(),
            None => {
                let text = format!("MemoryError: the interpreter gave up: {error}\r\n");
                works.inside().print(text.as_bytes());
                Outcome::Raised(text)
            }
        },
    };
    // Nobody may wait any more.
    let _ = tell.send(Ran::Ended(outcome));
}

fn execute(module: &Module, host: Host, script: &Script) -> Result<Outcome, Error> {
    let works = host.works.clone();
    let mut store = Store::new(module.engine(), host);
    let mut linker = Linker::new(module.engine());
    link(module, &mut linker)?;
    // Starting is not the script's doing: it takes no camera time.
    store.set_fuel(u64::MAX / 4)?;
    let instance = linker.instantiate_and_start(&mut store, module)?;
    let func = |store: &Store<Host>, name: &str| {
        let found = instance.get_func(store, name);
        found.ok_or_else(|| Error::new(format!("no function {name}")))
    };
    let (memory, table) = (
        instance.get_memory(&store, "memory"),
        instance.get_table(&store, "__indirect_function_table"),
    );
    let (Some(memory), Some(table)) = (memory, table) else {
        return Err(Error::new("no memory"));
    };
    let known = Inside {
        memory,
        table,
        interrupt: func(&store, "mp_sched_keyboard_interrupt")?,
        stack_get: func(&store, "emscripten_stack_get_current")?,
        stack_set: func(&store, "_emscripten_stack_restore")?,
        set_threw: func(&store, "setThrew")?,
    };
    store.data_mut().inside = Some(known);
    for (name, arguments) in [
        ("emscripten_stack_init", &[][..]),
        ("__wasm_call_ctors", &[]),
        ("mp_js_init", &[Val::I32(PYSTACK), Val::I32(HEAP)]),
        ("proxy_c_init", &[]),
    ] {
        let func = func(&store, name)?;
        drive(&mut store, func, arguments, &mut [])?;
    }
    let (exec, malloc) = (func(&store, "mp_js_do_exec")?, func(&store, "malloc")?);
    let python = |store: &mut Store<Host>, source: &[u8]| {
        let place = |store: &mut Store<Host>, size: usize| {
            let mut out = [Val::I32(0)];
            drive(&mut *store, malloc, &[Val::I32(size as i32)], &mut out)?;
            Ok::<_, Error>(out[0].i32().unwrap_or(0))
        };
        let at = place(store, source.len() + 1)?;
        memory
            .write(&mut *store, at as usize, &[source, &[0]].concat())
            .map_err(|_| no_room())?;
        let result = place(store, 12)?;
        let arguments = [
            Val::I32(at),
            Val::I32(source.len() as i32),
            Val::I32(result),
        ];
        drive(&mut *store, exec, &arguments, &mut [])?;
        let mut words = [0; 12];
        memory
            .read(&*store, result as usize, &mut words)
            .map_err(|_| no_room())?;
        let word = |at: usize| {
            i32::from_le_bytes([words[at], words[at + 1], words[at + 2], words[at + 3]])
        };
        if word(0) != -1 {
            return Ok::<_, Error>(None);
        }
        let mut text = vec![0; (word(4).max(0) as usize).min(1 << 16)];
        memory
            .read(&*store, word(8) as usize, &mut text)
            .map_err(|_| no_room())?;
        Ok(Some(String::from_utf8_lossy(&text).into_owned()))
    };
    if let Some(text) = python(&mut store, PRELUDE.as_bytes())? {
        return Err(Error::new(text));
    }
    let start = store.data().base;
    set_clock(&mut store.as_context_mut(), start, 0)?;
    let named = script.name != "<stdin>";
    let raised = if named {
        store.data_mut().files.stage(script.source.clone());
        let name = &script.name;
        let run = format!("import _start\n_start.run({name:?})\n");
        python(&mut store, run.as_bytes())?
    } else {
        python(&mut store, &script.source)?
    };
    // What was written and not closed is on the disk after the script, too.
    store.data_mut().files.close_all(&works);
    Ok(match raised {
        None => Outcome::Done,
        Some(text) => {
            let (kind, trace) = text.split_once('\u{4}').unwrap_or(("", &text));
            let trace = clean(trace, named);
            if kind == "SystemExit" {
                return Ok(Outcome::Done);
            }
            works.inside().print(trace.as_bytes());
            Outcome::Raised(trace)
        }
    })
}

fn no_room() -> Error {
    Error::new("the interpreter has no memory left")
}

/// A traceback without what is not on a camera: the modules of ours, and what starts a file.
fn clean(text: &str, named: bool) -> String {
    let mut dropped = !named;
    let keep = |line: &&str| {
        let ours = line.contains("File \"/_omv/") || line.contains("File \"_start");
        let first = !dropped && line.contains("File \"<stdin>\"");
        dropped |= first;
        !ours && !first
    };
    text.split_inclusive('\n').filter(keep).collect()
}

/// Defines everything the interpreter imports. What is there for browsers only does nothing.
fn link(module: &Module, linker: &mut Linker<Host>) -> Result<(), Error> {
    linker.func_wrap(
        "env",
        "_emscripten_throw_longjmp",
        || -> Result<(), Error> { Err(Error::host(Longjmp)) },
    )?;
    linker.func_wrap("env", "mp_js_ticks_ms", |here: Here<'_>| -> i32 {
        now(&here).as_millis() as i32
    })?;
    linker.func_wrap("env", "mp_js_time_ms", |here: Here<'_>| -> f64 {
        now(&here).as_millis() as f64
    })?;
    linker.func_wrap("env", "mp_js_random_u32", |mut here: Here<'_>| -> i32 {
        let host = here.data_mut();
        host.seed = host
            .seed
            .wrapping_mul(1_664_525)
            .wrapping_add(1_013_904_223);
        host.seed as i32
    })?;
    linker.func_wrap("env", "_abort_js", || -> Result<(), Error> {
        Err(Error::new("abort"))
    })?;
    files::link(linker)?;
    linker.allow_shadowing(false);
    for import in module.imports() {
        let ExternType::Func(kind) = import.ty() else {
            continue;
        };
        let (space, name) = (import.module(), import.name());
        // Those that are there already are refused, and stay.
        let defined = if name.starts_with("invoke_") {
            linker.func_new(space, name, kind.clone(), invoke)
        } else {
            linker.func_new(space, name, kind.clone(), |_, _, results| {
                results
                    .iter_mut()
                    .for_each(|result| *result = Val::default_for_ty(result.ty()));
                Ok(())
            })
        };
        let _ = defined;
    }
    Ok(())
}

/// Calls through the table on behalf of C's setjmp.
fn invoke(mut here: Here<'_>, arguments: &[Val], results: &mut [Val]) -> Result<(), Error> {
    let known = inside(here.data())?;
    let mut stack = [Val::I32(0)];
    drive(&mut here, known.stack_get, &[], &mut stack)?;
    let index = arguments[0].i32().unwrap_or(0) as u32;
    let entry = known.table.get(&here, index.into());
    let func = match entry.as_ref().and_then(wasmi::Ref::as_func) {
        Some(Nullable::Val(func)) => *func,
        _ => return Err(Error::new("a call through an empty entry")),
    };
    match drive(&mut here, func, &arguments[1..], results) {
        Err(error) if error.downcast_ref::<Longjmp>().is_some() => {
            known.stack_set.call(&mut here, &stack, &mut [])?;
            known
                .set_threw
                .call(&mut here, &[Val::I32(1), Val::I32(0)], &mut [])
        }
        other => other,
    }
}

/// Ends the script for good.
pub fn quit(outcome: Outcome) -> Error {
    Error::host(Quit(Some(outcome)))
}
