/** Where the tools are and which versions they have; found once at start by `findTools`. */
export type Tools = Readonly<{
  ytDlp: Readonly<{
    /** The program as an argument list: `['/usr/bin/python3', '/…/yt-dlp']` or `['/…/yt-dlp']` for a frozen binary. */
    command: readonly string[]
    version: string
    /** The interpreter that can `import yt_dlp`, and what to put before its `sys.path`; null for a frozen binary. */
    python: Readonly<{ path: string; modulePath: string | null }> | null
  }>
  ffmpeg: Readonly<{ path: string; version: string }>
  ffprobe: Readonly<{ path: string; version: string }>
  /** The second reader of posts, where there is one. `modulePath`: its Python modules, where they do not stand among the interpreter's own. */
  galleryDl: Readonly<{ path: string; modulePath: string | null; version: string }> | null
  /** Our own Node, as JavaScript runtime of yt-dlp. */
  nodePath: string
  /** Any Python ≥ 3.11 for the confining launcher, null when there is none. */
  pythonPath: string | null
  /** PEM bundle that yt-dlp, ffmpeg and we trust; null = each tool's own default. */
  caFile: string | null
}>
