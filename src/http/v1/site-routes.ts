import { z } from 'zod'
import { describePreset } from '../../domain/site-preset.ts'
import { defineRoute, type AnyRoute } from '../route.ts'
import type { V1Context } from './context.ts'
import { wholeListOf } from './list.ts'

const presetSchema = z
  .strictObject({
    name: z.string().meta({ description: 'For `site_preset` of a task', example: 'residential' }),
    sites: z.array(z.string()).meta({ example: ['youtube.com'] }),
    default: z.boolean().meta({ description: 'Stands for its sites where a task names none' }),
    does: z
      .array(z.string())
      .meta({ description: 'What it changes, in words', example: ['goes by a proxy of its own'] }),
  })
  .meta({ id: 'SitePreset', description: 'How the operator wants sites to be asked' })

/** `GET /v1/sites`: what a task may name as `site_preset`. */
const listSites = defineRoute<V1Context>({
  method: 'get',
  path: '/sites',
  permission: null,
  body: null,
  doc: {
    summary: 'List the presets of sites this key may use',
    tag: 'Cookies and sites',
    answers: {
      200: wholeListOf(presetSchema).meta({ id: 'SitePresetList' }),
    },
  },
  handle({ sites }, { key }) {
    const allowed = key.limits.presets
    const items = sites.presets
      .all()
      .filter(({ name }) => allowed === null || allowed.includes(name))
      .map((preset) => ({
        name: preset.name,
        sites: [...preset.sites],
        default: preset.isDefault,
        does: [...describePreset(preset)],
      }))
    return { items, next: null }
  },
})

/** The operator's presets. */
export const siteRoutes: readonly AnyRoute<V1Context>[] = [listSites]
