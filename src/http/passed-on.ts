import type { Request } from 'express'

/** What a proxy adds when it passes a call on. */
const PASSED_ON = ['forwarded', 'via', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'x-real-ip']

/** Whether a proxy says that it passed the call on, be it one that is believed or not. */
export const isPassedOn = (req: Request): boolean => PASSED_ON.some((name) => req.headers[name] !== undefined)
