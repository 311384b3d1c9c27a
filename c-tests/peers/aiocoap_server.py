"""A server of RFC 8323 over TCP, made with aiocoap: POST to /echo gives the payload back. Prints `listening PORT`.

SPDX-License-Identifier: Apache-2.0
"""

import asyncio
import sys

import aiocoap
import aiocoap.resource


class Echo(aiocoap.resource.Resource):
    async def render_get(self, request):
        return aiocoap.Message(payload=b"hello")

    async def render_post(self, request):
        return aiocoap.Message(code=aiocoap.CONTENT, payload=request.payload)


async def main(port):
    site = aiocoap.resource.Site()
    site.add_resource(["echo"], Echo())
    await aiocoap.Context.create_server_context(site, bind=("127.0.0.1", port), transports=["tcpserver"])
    print(f"listening {port}", flush=True)
    await asyncio.get_running_loop().create_future()


asyncio.run(main(int(sys.argv[1])))
