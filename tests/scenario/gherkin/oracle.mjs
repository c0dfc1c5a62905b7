// Prints, for each file given, what @cucumber/gherkin prints for it: one line of NDJSON for a good
// file (gherkinDocument), one for each mistake of a bad one (parseError). With --write it goes into
// FILE.ndjson beside the file instead.
//
//   npm install && node oracle.mjs [--write] good/* bad/*
import { readFileSync, writeFileSync } from 'node:fs'
import { generateMessages } from '@cucumber/gherkin'
import { IdGenerator, SourceMediaType } from '@cucumber/messages'

const write = process.argv.includes('--write')
for (const path of process.argv.slice(2)) {
  if (!/\.feature(\.md)?$/.test(path)) continue
  const mediaType = path.endsWith('.md')
    ? SourceMediaType.TEXT_X_CUCUMBER_GHERKIN_MARKDOWN
    : SourceMediaType.TEXT_X_CUCUMBER_GHERKIN_PLAIN
  const messages = generateMessages(readFileSync(path, 'utf8'), path, mediaType, {
    defaultDialect: 'en',
    includeSource: false,
    includeGherkinDocument: true,
    includePickles: false,
    newId: IdGenerator.incrementing(),
  })
  const text = messages.map((it) => JSON.stringify(it) + '\n').join('')
  if (write) writeFileSync(`${path}.ndjson`, text)
  else process.stdout.write(text)
}
