// Runs a script on MicroPython: driver.mjs PACKAGE ERA SCRIPT
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const [, , folder, era, script] = process.argv;
const { loadMicroPython } = await import(pathToFileURL(join(folder, 'micropython.mjs')));
const python = await loadMicroPython({ stdout: (line) => console.log(line), heapsize: 4 << 20 });
const here = dirname(fileURLToPath(import.meta.url));
python.runPython(`ERA = ${JSON.stringify(era)}\n` + readFileSync(join(here, 'stubs.py'), 'utf8'));
python.runPython(readFileSync(script, 'utf8'));
