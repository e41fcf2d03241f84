import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import path from 'node:path'
import { until } from './figure.ts'

/** An nginx that serves `root`, with a configuration of its own in `folder`. */
export async function startNginx(
  program: string,
  { root, folder }: Readonly<{ root: string; folder: string }>,
): Promise<AsyncDisposable & Readonly<{ url: string }>> {
  const port = await freePort()
  const file = path.join(folder, 'nginx.conf')
  await mkdir(path.join(folder, 'temp'))
  await writeFile(file, configuration(root, folder, port))
  const child = spawn(program, ['-c', file, '-p', folder, '-e', path.join(folder, 'error.log')], { stdio: 'inherit' })
  const exited = once(child, 'exit')
  const url = `http://127.0.0.1:${port}`
  const stop = async () => {
    child.kill('SIGTERM')
    await exited
  }
  try {
    const answers = () => fetch(url).then(Boolean, () => false)
    await until('nginx to answer', answers, { everyMs: 20, timeoutMs: 5_000 })
    return { url, [Symbol.asyncDispose]: stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/** As it is usually set up for files: one worker, `sendfile`. */
function configuration(root: string, folder: string, port: number): string {
  const user = process.getuid?.() === 0 ? 'user root;' : ''
  const temp = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${folder}/temp/${name};`)
    .join('\n  ')
  return `daemon off;
${user}
worker_processes 1;
pid ${folder}/nginx.pid;
events {}
http {
  access_log off;
  sendfile on;
  tcp_nopush on;
  ${temp}
  server {
    listen 127.0.0.1:${port};
    root ${root};
  }
}
`
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
