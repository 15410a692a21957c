// What Edge Impulse's uploader makes of an export: uploader.cjs READER INFO.LABELS
// READER is `build/shared/bounding-box-file-types.js` of the npm package `edge-impulse-linux`.
const { readFileSync } = require("node:fs");

const [, , reader, file] = process.argv;
const { parseUploaderInfo, verifyBoundingBoxes } = require(reader);
const { files } = parseUploaderInfo(readFileSync(file, "utf8"));
for (const one of files) if (one.boundingBoxes) verifyBoundingBoxes(one.boundingBoxes);
console.log(JSON.stringify(files));
