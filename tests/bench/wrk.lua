-- What wrk sends (from the environment) and how it reports: one JSON line that load.py reads.
wrk.method = "POST"
wrk.headers["content-type"] = "application/json"
wrk.headers["x-api-key"] = "bench"
wrk.headers["anthropic-version"] = "2023-06-01"

-- Each request is another one: equal requests at the same time share a call, and that is not what is measured.
local body = os.getenv("BENCH_BODY")
local opening = body:sub(1, -2) .. ', "metadata": {"user_id": "'
local threads, number = 0, 0

function setup(thread)
    thread:set("name", threads)
    threads = threads + 1
end

function request()
    number = number + 1
    return wrk.format(nil, nil, nil, opening .. name .. "-" .. number .. '"}}')
end

function done(summary, latency, requests)
    local errors = summary.errors
    local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
    io.write(string.format(
        '{"requests": %d, "seconds": %.6f, "bytes": %d, "failed": %d, "p50_ms": %.4f, "p99_ms": %.4f}\n',
        summary.requests, summary.duration / 1e6, summary.bytes, failed,
        latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
