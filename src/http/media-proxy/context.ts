import type { MediaHosts } from '../../domain/media-hosts.ts'
import type { EgressOpen } from '../../engine/egress/index.ts'
import type { AnonymousContext } from '../anonymous.ts'

/** What passing media on takes. */
export type MediaProxyContext = AnonymousContext &
  Readonly<{
    /** Asks a host for a medium and hands its body over as it comes. */
    openMedia: EgressOpen
    mediaHosts: MediaHosts
    settings: Readonly<{
      publicBaseUrl: string | null
      mediaProxyStreams: number
      /** Of one medium. */ maxMediaBytes: number
    }>
  }>
