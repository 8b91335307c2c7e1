// An OpenID Connect issuer for the tests: `node issuer.mjs PORT REDIRECT_URI`. Prints "ready" once it listens.
// Its log-in form takes a name and, as JSON, what the ID token shall say of them and how they authenticated.
import { Provider } from 'oidc-provider'

const [port, redirectUri] = process.argv.slice(2)
const issuer = `http://127.0.0.1:${port}`
const people = new Map()

const provider = new Provider(issuer, {
  clients: [
    {
      client_id: 'needful',
      client_secret: 'a-secret-of-the-test-0123456789abcdef',
      redirect_uris: [redirectUri],
      grant_types: ['authorization_code'],
      response_types: ['code'],
      token_endpoint_auth_method: 'client_secret_basic',
    },
  ],
  pkce: { required: () => true },
  claims: { openid: ['sub', 'amr', 'acr'], profile: ['preferred_username', 'groups'] },
  conformIdTokenClaims: false,
  features: { devInteractions: { enabled: false } },
  cookies: { keys: ['only for the tests'] },
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, ...people.get(id) }) }),
})

async function read(request) {
  let text = ''
  for await (const chunk of request) text += chunk
  return new URLSearchParams(text)
}

async function interact(request, response) {
  const { prompt, params, session } = await provider.interactionDetails(request, response)
  if (request.method === 'GET') {
    response.setHeader('content-type', 'text/html')
    response.end(`<form method="post"><h1>${prompt.name}</h1><input name="login"><input name="claims"><input name="amr">
      <button>Continue</button></form>`)
    return
  }
  if (prompt.name === 'login') {
    const form = await read(request)
    people.set(form.get('login'), JSON.parse(form.get('claims')))
    const login = { accountId: form.get('login'), amr: form.get('amr').split(' ').filter(Boolean) }
    await provider.interactionFinished(request, response, { login }, { mergeWithLastSubmission: false })
    return
  }
  const grant = new provider.Grant({ accountId: session.accountId, clientId: params.client_id })
  grant.addOIDCScope(params.scope)
  const consent = { grantId: await grant.save() }
  await provider.interactionFinished(request, response, { consent }, { mergeWithLastSubmission: true })
}

const handle = provider.callback()
const { createServer } = await import('node:http')
createServer((request, response) => {
  if (!request.url.startsWith('/interaction/')) return handle(request, response)
  interact(request, response).catch((error) => {
    response.statusCode = 500
    response.end(String(error))
  })
}).listen(Number(port), '127.0.0.1', () => console.log('ready'))
