/** A way out that cannot be used as it is set up. The message is for the operator and holds no credentials. */
export class EgressError extends Error {
  override readonly name = 'EgressError'
}
