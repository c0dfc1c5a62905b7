"""aiocoap as the other side: `client ADDRESS FILE` or `server PORT`. Called by interop_coap.sh."""
import asyncio
import sys

import aiocoap
from aiocoap import resource


async def client(address, path):
    context = await aiocoap.Context.create_client_context()
    with open(path, "rb") as file:
        image = file.read()

    async def ask(code, name, **more):
        uri = f"coap://{address}{name}"
        return await context.request(aiocoap.Message(code=code, uri=uri, **more)).response

    got = await ask(aiocoap.GET, "/fw")
    assert got.payload == image, "GET by Block2"
    put = await ask(aiocoap.PUT, "/sink", payload=image[:60000])
    assert put.code == aiocoap.CHANGED, put.code
    back = await ask(aiocoap.GET, "/sink")
    assert back.payload == image[:60000], "PUT by Block1"
    late = await ask(aiocoap.GET, "/slow")
    assert late.payload == b"late\n", "a separate response"

    uri = f"coap://{address}/counter"
    observed = context.request(aiocoap.Message(code=aiocoap.GET, uri=uri, observe=0))
    await observed.response
    seen = []
    async for notification in observed.observation:
        seen.append(int(notification.payload))
        if len(seen) == 3:
            break
    assert seen == sorted(seen), seen
    await context.shutdown()


class Sink(resource.Resource):
    body = b""

    async def render_put(self, request):
        self.body = request.payload
        return aiocoap.Message(code=aiocoap.CHANGED)

    async def render_get(self, request):
        return aiocoap.Message(payload=self.body)


async def server(port):
    site = resource.Site()
    site.add_resource(["sink"], Sink())
    await aiocoap.Context.create_server_context(site, bind=("127.0.0.1", int(port)))
    await asyncio.get_running_loop().create_future()


asyncio.run({"client": client, "server": server}[sys.argv[1]](*sys.argv[2:]))
