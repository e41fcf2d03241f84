/** The small text objects that the site's answers are made of. */
export const text = (value: string) => ({ simpleText: value })

export const runs = (value: string, navigationEndpoint?: object) => ({
  runs: [{ text: value, ...(navigationEndpoint ? { navigationEndpoint } : {}) }],
})

export const channelEndpoint = ({ channelId, handle }: Readonly<{ channelId: string; handle: string }>) => ({
  browseEndpoint: { browseId: channelId, canonicalBaseUrl: `/${handle}` },
  commandMetadata: { webCommandMetadata: { url: `/${handle}` } },
})

export const thumbnails = (id: string, name: string, [width, height]: readonly [number, number]) => ({
  thumbnails: [{ url: `https://i.ytimg.com/vi/${id}/${name}.jpg`, width, height }],
})

/** `1:05`, `1:01:05`. */
export function clock(seconds: number): string {
  const hours = Math.floor(seconds / 3600)
  const minutes = String(Math.floor((seconds % 3600) / 60))
  const rest = String(seconds % 60).padStart(2, '0')
  return hours > 0 ? `${hours}:${minutes.padStart(2, '0')}:${rest}` : `${minutes}:${rest}`
}
