"""The official Python SDK against a running gateway: sync and async, every kind of call and every class of error.

Reads OPENAI_BASE_URL, OPENAI_API_KEY, MERIDIAN_ADMIN_URL and MERIDIAN_ADMIN_KEY from the environment.
"""

import asyncio
import json
import os
import sys
import time
import unittest
import urllib.error
import urllib.request

import openai
from openai import AsyncOpenAI, OpenAI

MODEL = "deepseek-v3"
ADMIN_URL = os.environ["MERIDIAN_ADMIN_URL"]
ADMIN_KEY = os.environ["MERIDIAN_ADMIN_KEY"]
MESSAGES = [{"role": "user", "content": "Tell me of the sea"}]
ASK = {"model": MODEL, "seed": 7, "max_tokens": 20, "messages": MESSAGES}
LONG = {**ASK, "max_tokens": 5_000, "extra_body": {"ignore_eos": True}}
PROMPT = {"model": MODEL, "seed": 7, "max_tokens": 10, "prompt": "Once upon a time"}
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
    "required": ["city", "days"],
}
TOOLS = [{"type": "function", "function": {"name": "get_weather", "parameters": SCHEMA}}]


def admin(method, path, body=None):
    request = urllib.request.Request(
        ADMIN_URL + path,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"authorization": f"Bearer {ADMIN_KEY}", "content-type": "application/json"},
    )
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def record_of(request_id):
    """The usage record of a request, once it is settled."""
    give_up = time.monotonic() + 20
    while True:
        try:
            return admin("GET", f"/admin/v1/requests/{request_id}")
        except urllib.error.HTTPError as error:
            if error.code != 404 or time.monotonic() > give_up:
                raise
            time.sleep(0.02)


def text_of(chunks):
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


class Answers(unittest.TestCase):
    def setUp(self):
        self.client = OpenAI(max_retries=0)
        self.addCleanup(self.client.close)

    def assert_usage(self, usage):
        self.assertEqual(usage.total_tokens, usage.prompt_tokens + usage.completion_tokens)
        self.assertLessEqual(usage.prompt_tokens_details.cached_tokens, usage.prompt_tokens)
        self.assertLessEqual(usage.completion_tokens_details.reasoning_tokens, usage.completion_tokens)
        self.assertEqual(usage.prompt_cache_hit_tokens + usage.prompt_cache_miss_tokens, usage.prompt_tokens)

    def test_a_stream_is_the_answer_in_pieces(self):
        whole = self.client.chat.completions.create(**ASK)
        chunks = list(self.client.chat.completions.create(**ASK, stream=True))
        self.assertEqual(text_of(chunks), whole.choices[0].message.content)
        self.assertEqual(len({(chunk.id, chunk.created) for chunk in chunks}), 1)
        self.assertTrue(all(chunk.usage is None for chunk in chunks))
        self.assert_usage(whole.usage)

    def test_usage_comes_on_one_extra_chunk_when_asked(self):
        chunks = list(self.client.chat.completions.create(**ASK, stream=True, stream_options={"include_usage": True}))
        self.assertEqual(chunks[-1].choices, [])
        self.assert_usage(chunks[-1].usage)
        self.assertTrue(all(chunk.usage is None for chunk in chunks[:-1]))

    def test_the_stream_helper_puts_an_answer_together(self):
        ask = {**ASK, "max_tokens": 200, "response_format": {"type": "json_object"}}
        whole = self.client.chat.completions.create(**ask)
        with self.client.chat.completions.stream(**ask) as stream:
            for _event in stream:
                pass
            final = stream.get_final_completion()
        self.assertEqual(final.choices[0].message.content, whole.choices[0].message.content)

    def test_tools_formats_logprobs_and_several_choices(self):
        create = self.client.chat.completions.create
        call = create(**ASK, tools=TOOLS, tool_choice="required").choices[0].message.tool_calls[0]
        self.assertEqual(list(json.loads(call.function.arguments)), ["city", "days"])
        streamed = create(**ASK, tools=TOOLS, tool_choice="required", stream=True)
        deltas = [delta for chunk in streamed for delta in chunk.choices[0].delta.tool_calls or []]
        self.assertEqual("".join(delta.function.arguments or "" for delta in deltas), call.function.arguments)
        format_ = {"type": "json_schema", "json_schema": {"name": "trip", "schema": SCHEMA}}
        self.assertIn("city", json.loads(create(**ASK, response_format=format_).choices[0].message.content))
        answer = create(**ASK, n=2, logprobs=True, top_logprobs=2)
        self.assertEqual([choice.index for choice in answer.choices], [0, 1])
        self.assertEqual(len(answer.choices[0].logprobs.content[0].top_logprobs), 2)

    def test_a_seed_and_a_stop_do_what_they_say(self):
        create = self.client.chat.completions.create
        text = create(**ASK).choices[0].message.content
        self.assertEqual(create(**ASK).choices[0].message.content, text)
        self.assertNotEqual(create(**{**ASK, "seed": 8}).choices[0].message.content, text)
        stop = text[10:14]
        self.assertEqual(create(**ASK, stop=stop).choices[0].message.content, text[: text.index(stop)])

    def test_reasoning_is_told_apart(self):
        thinking = {**ASK, "max_tokens": 300, "extra_body": {"chat_template_kwargs": {"thinking": True}}}
        message = self.client.chat.completions.create(**thinking).choices[0].message
        self.assertTrue(message.reasoning_content)

    def test_text_completions(self):
        whole = self.client.completions.create(**PROMPT)
        chunks = list(self.client.completions.create(**PROMPT, stream=True))
        self.assertEqual("".join(chunk.choices[0].text for chunk in chunks), whole.choices[0].text)

    def test_embeddings_as_floats_and_as_base64_are_alike(self):
        by_default = self.client.embeddings.create(model=MODEL, input="the sea").data[0].embedding
        floats = self.client.embeddings.create(model=MODEL, input="the sea", encoding_format="float").data[0].embedding
        self.assertEqual(len(by_default), len(floats))
        self.assertTrue(all(abs(a - b) < 1e-6 for a, b in zip(by_default, floats)))

    def test_models(self):
        self.assertEqual([model.id for model in self.client.models.list()], [MODEL])
        self.assertEqual(self.client.models.retrieve(MODEL).id, MODEL)

    def test_request_id_and_headers(self):
        raw = self.client.chat.completions.with_raw_response.create(**ASK)
        answer = raw.parse()
        self.assertTrue(answer._request_id.startswith("req_"))
        self.assertEqual(raw.headers["x-request-id"], answer._request_id)
        self.assertEqual(raw.headers["openai-version"], "2020-10-01")
        self.assertTrue(raw.headers["openai-processing-ms"].isdigit())
        self.assertTrue(raw.headers["openai-organization"])
        record = record_of(answer._request_id)
        self.assertEqual(record["outcome"], "completed")
        self.assertEqual(record["usage"]["completion_tokens"], answer.usage.completion_tokens)

    def test_the_base_url_without_v1(self):
        base_url = os.environ["OPENAI_BASE_URL"].removesuffix("/v1")
        with OpenAI(base_url=base_url, max_retries=0) as client:
            self.assertTrue(client.chat.completions.create(**ASK).choices[0].message.content)

    def test_a_stream_that_its_client_leaves_is_counted_to_there(self):
        with self.client.chat.completions.create(**LONG, stream=True) as stream:
            request_id = stream.response.headers["x-request-id"]
            for _chunk, _count in zip(stream, range(10)):
                pass
        record = record_of(request_id)
        self.assertEqual((record["outcome"], record["status"]), ("aborted", 499))
        self.assertGreaterEqual(record["usage"]["completion_tokens"], 8)
        self.assertLess(record["usage"]["completion_tokens"], LONG["max_tokens"])


class Errors(unittest.TestCase):
    def setUp(self):
        self.client = OpenAI(max_retries=0)
        self.addCleanup(self.client.close)

    def refused(self, kind, status, code, param=None, client=None, **ask):
        with self.assertRaises(kind) as caught:
            (client or self.client).chat.completions.create(**{**ASK, **ask})
        error = caught.exception
        self.assertEqual((error.status_code, error.code, error.param), (status, code, param))
        self.assertTrue(error.request_id.startswith("req_"))
        self.assertEqual(set(error.body), {"message", "type", "param", "code"})

    def key(self, **limits):
        made = admin("POST", "/admin/v1/keys", {"name": "python", **limits})
        client = OpenAI(api_key=made["key"], max_retries=0)
        self.addCleanup(client.close)
        return made, client

    def test_authentication(self):
        self.refused(openai.AuthenticationError, 401, "invalid_api_key", client=OpenAI(api_key="sk-wrong", max_retries=0))
        self.refused(openai.AuthenticationError, 401, "invalid_api_key", client=OpenAI(api_key=ADMIN_KEY, max_retries=0))
        made, client = self.key()
        self.assertTrue(client.chat.completions.create(**ASK).choices)
        admin("DELETE", f"/admin/v1/keys/{made['id']}")
        self.refused(openai.AuthenticationError, 401, "invalid_api_key", client=client)

    def test_permission(self):
        self.refused(openai.PermissionDeniedError, 403, "permission_denied", client=self.key(regions=["mars"])[1])
        other = OpenAI(organization="org_other", max_retries=0)
        self.refused(openai.PermissionDeniedError, 403, "permission_denied", client=other)

    def test_not_found(self):
        self.refused(openai.NotFoundError, 404, "model_not_found", "model", model="gpt-0")
        with self.assertRaises(openai.NotFoundError) as caught:
            self.client.models.retrieve("gpt-0")
        self.assertEqual(caught.exception.code, "model_not_found")
        with self.assertRaises(openai.NotFoundError):
            self.client.get("/nothing", cast_to=object)

    def test_bad_request(self):
        self.refused(openai.BadRequestError, 400, "invalid_value", "temperature", temperature=5)
        self.refused(openai.BadRequestError, 400, "invalid_type", "messages[0].content", messages=[{"role": "user", "content": 5}])
        self.refused(openai.BadRequestError, 400, "unknown_parameter", "temprature", extra_body={"temprature": 1})
        self.refused(openai.BadRequestError, 400, "unsupported_parameter", "rid", extra_body={"rid": "x"})
        self.refused(openai.BadRequestError, 400, "invalid_value", "temperature", temperature=5, stream=True)
        far = [{"role": "user", "content": "x" * 3_000_000}]
        self.refused(openai.BadRequestError, 400, "context_length_exceeded", "messages", messages=far)

    def test_a_body_that_is_too_large(self):
        large = [{"role": "user", "content": "x" * 20_000_000}]
        self.refused(openai.APIStatusError, 413, "request_too_large", messages=large)


class AsyncAnswers(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        self.client = AsyncOpenAI(max_retries=0)
        self.addAsyncCleanup(self.client.close)

    async def test_many_at_once(self):
        async def one(seed):
            ask = {**ASK, "seed": seed}
            whole = await self.client.chat.completions.create(**ask)
            stream = await self.client.chat.completions.create(**ask, stream=True)
            return whole.choices[0].message.content == text_of([chunk async for chunk in stream])

        self.assertTrue(all(await asyncio.gather(*(one(seed) for seed in range(20)))))

    async def test_completions_embeddings_and_models(self):
        self.assertTrue((await self.client.completions.create(**PROMPT)).choices[0].text)
        self.assertEqual(len((await self.client.embeddings.create(model=MODEL, input=["a", "b"])).data), 2)
        self.assertEqual([model.id async for model in self.client.models.list()], [MODEL])

    async def test_a_cancelled_task_takes_its_request_with_it(self):
        newest = {record["id"] for record in requests_of("aborted")}

        async def read():
            async for _chunk in await self.client.chat.completions.create(**LONG, stream=True):
                reading.set()

        reading = asyncio.Event()
        task = asyncio.create_task(read())
        await reading.wait()
        task.cancel()
        with self.assertRaises(asyncio.CancelledError):
            await task
        give_up = time.monotonic() + 20
        while {record["id"] for record in requests_of("aborted")} == newest:
            self.assertLess(time.monotonic(), give_up, "the aborted request was not recorded")
            await asyncio.sleep(0.02)

    async def test_an_error(self):
        with self.assertRaises(openai.BadRequestError) as caught:
            await self.client.chat.completions.create(**ASK, temperature=5)
        self.assertEqual(caught.exception.param, "temperature")


def requests_of(outcome):
    records, after = [], ""
    while True:
        page = admin("GET", f"/admin/v1/requests?limit=1000{after}")
        records += [record for record in page["data"] if record["outcome"] == outcome]
        if not page["has_more"]:
            return records
        after = f"&after={page['data'][-1]['id']}"


if __name__ == "__main__":
    run = unittest.main(exit=False, verbosity=1).result
    print(f"openai-python {openai.__version__}: {run.testsRun} tests, {len(run.failures) + len(run.errors)} failed")
    sys.exit(0 if run.wasSuccessful() else 1)
