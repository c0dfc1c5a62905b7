"""A small LwM2M 1.1 device on aiocoap: nothing of it is fotalab's.

Objects 1, 3 and 5 with single resources as text; a package by PUT (block-wise) or by a URI that it
fetches itself; Execute lets it "reboot" and register again with the version after.
"""

import asyncio
import hashlib

import aiocoap
from aiocoap import resource

TEXT = 0
IDLE, DOWNLOADING, DOWNLOADED, UPDATING = range(4)


class Value(resource.ObservableResource):
    def __init__(self, value):
        super().__init__()
        self.value = value

    def set(self, value):
        if value != self.value:
            self.value = value
            self.updated_state()

    async def render_get(self, request):
        return aiocoap.Message(payload=str(self.value).encode(), content_format=TEXT)


class Package(resource.Resource):
    def __init__(self, device):
        super().__init__()
        self.device = device

    async def render_put(self, request):
        self.device.take(request.payload)
        return aiocoap.Message(code=aiocoap.CHANGED)


class PackageUri(Value):
    def __init__(self, device):
        super().__init__("")
        self.device = device

    async def render_put(self, request):
        self.value = request.payload.decode()
        if self.value:
            self.device.later(self.device.fetch(self.value))
        else:
            self.device.take(b"\0")
        return aiocoap.Message(code=aiocoap.CHANGED)


class Update(resource.Resource):
    def __init__(self, device):
        super().__init__()
        self.device = device

    async def render_post(self, request):
        if self.device.state.value != DOWNLOADED:
            return aiocoap.Message(code=aiocoap.METHOD_NOT_ALLOWED)
        self.device.executed += 1
        self.device.state.set(UPDATING)
        self.device.later(self.device.reboot())
        return aiocoap.Message(code=aiocoap.CHANGED)


class Device:
    def __init__(self, endpoint, server, version):
        self.endpoint, self.server = endpoint, server
        self.state, self.result = Value(IDLE), Value(0)
        self.version = Value(version)
        self.flash = b""
        self.executed = 0
        self.location = None
        self.tasks = set()
        site = resource.Site()
        for path, it in {
            ("1", "0", "1"): Value(300), ("3", "0", "0"): Value("aiocoap"), ("3", "0", "3"): self.version,
            ("5", "0", "0"): Package(self), ("5", "0", "1"): PackageUri(self), ("5", "0", "2"): Update(self),
            ("5", "0", "3"): self.state, ("5", "0", "5"): self.result, ("5", "0", "9"): Value(2),
        }.items():
            site.add_resource(path, it)
        self.site = site

    def later(self, work):
        task = asyncio.ensure_future(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def start(self):
        self.context = await aiocoap.Context.create_server_context(self.site, bind=("127.0.0.1", None))
        await self.register()

    async def register(self):
        uri = f"{self.server}/rd?ep={self.endpoint}&lt=300&lwm2m=1.1"
        links = b'</>;rt="oma.lwm2m",</1/0>,</3/0>,</5/0>'
        register = aiocoap.Message(code=aiocoap.POST, payload=links, content_format=40, uri=uri)
        answer = await self.context.request(register).response
        assert answer.code == aiocoap.CREATED, answer
        self.location = answer.opt.location_path

    def take(self, package):
        """A package by push, or the NUL that resets."""
        self.result.set(0)
        reset = package in (b"", b"\0")
        self.flash = b"" if reset else package
        self.state.set(IDLE if reset else DOWNLOADED)

    async def fetch(self, uri):
        self.result.set(0)
        self.state.set(DOWNLOADING)
        try:
            answer = await self.context.request(aiocoap.Message(code=aiocoap.GET, uri=uri)).response
        except aiocoap.error.Error:
            self.result.set(4)
            self.state.set(IDLE)
            return
        self.take(answer.payload)

    async def reboot(self):
        await asyncio.sleep(0.3)
        self.version.value = hashlib.sha256(self.flash).hexdigest()[:12]
        self.result.value, self.state.value = 1, IDLE
        await self.register()
