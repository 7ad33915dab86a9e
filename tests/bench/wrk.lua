-- What wrk sends (from the environment) and how it reports: one JSON line that load.py reads.
wrk.method = "POST"
wrk.body = os.getenv("BENCH_BODY")
wrk.headers["content-type"] = "application/json"
wrk.headers["x-api-key"] = "bench"
wrk.headers["anthropic-version"] = "2023-06-01"

function done(summary, latency, requests)
    local errors = summary.errors
    local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
    io.write(string.format(
        '{"requests": %d, "seconds": %.6f, "bytes": %d, "failed": %d, "p50_ms": %.4f, "p99_ms": %.4f}\n',
        summary.requests, summary.duration / 1e6, summary.bytes, failed,
        latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
