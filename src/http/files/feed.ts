import type { Task, TaskFile } from '../../domain/task.ts'
import { mediaTypeOf } from './media-type.ts'

/** One medium of a feed. `url`: where it can be fetched without a key. */
export type Episode = Readonly<{ task: Task; file: TaskFile; url: string }>

/** A feed as it is read; `url` is the site it belongs to. */
export type Feed = Readonly<{ title: string; description: string; url: string; episodes: readonly Episode[] }>

const ITUNES = 'http://www.itunes.com/dtds/podcast-1.0.dtd'

/** RSS 2.0 with the tags podcast players look for. The same feed gives the same text. */
export function feedXml({ title, description, url, episodes }: Feed): string {
  const newest = Math.max(0, ...episodes.map(({ task }) => task.finishedAt ?? 0))
  const lines = [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<rss version="2.0" xmlns:itunes="${ITUNES}">`,
    '<channel>',
    element('title', title),
    element('link', url),
    element('description', description),
    element('generator', 'ytdlpd'),
    ...(newest > 0 ? [element('lastBuildDate', dateOf(newest))] : []),
    element('itunes:author', title),
    element('itunes:explicit', 'false'),
    // Directories leave out what says so: this is somebody's own list.
    element('itunes:block', 'Yes'),
    ...episodes.flatMap(itemLines),
    '</channel>',
    '</rss>',
  ]
  return `${lines.join('\n')}\n`
}

function itemLines({ task, file, url }: Episode): string[] {
  const title = task.title ?? task.request.outputFilename ?? task.request.url
  const type = mediaTypeOf(file) ?? 'application/octet-stream'
  return [
    '<item>',
    element('title', file.name === task.file?.name ? title : `${title} (${file.name})`),
    element('link', task.request.url),
    `<guid isPermaLink="false">${escaped(`${task.id}/${file.name}`)}</guid>`,
    element('pubDate', dateOf(task.finishedAt ?? task.createdAt)),
    `<enclosure url="${escaped(url)}" length="${file.size}" type="${escaped(type)}"/>`,
    ...(file.duration === null ? [] : [element('itunes:duration', String(Math.round(file.duration)))]),
    ...(task.position === null ? [] : [element('itunes:episode', String(task.position))]),
    '</item>',
  ]
}

const element = (name: string, text: string) => `<${name}>${escaped(text)}</${name}>`

/** As RFC 822 has it, with the zone that RSS readers all know. */
const dateOf = (at: number) => new Date(at).toUTCString()

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/** What XML 1.0 cannot hold, not even as an entity. */
// eslint-disable-next-line no-control-regex -- these are what is meant
const NO_CHARACTERS = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g

function escaped(text: string): string {
  return text
    .toWellFormed()
    .replace(NO_CHARACTERS, '')
    .replace(/[&<>"']/g, (character) => ENTITIES[character] ?? '')
}
