-- What wrk sends: single sends, each to another number, and at the end one JSON line of what came back.
-- BENCH_KEY may hold several keys with commas between them: requests take them in turn, evenly.
local service, n, keys = os.getenv("BENCH_SERVICE"), 0, {}
for key in string.gmatch(os.getenv("BENCH_KEY"), "[^,]+") do
  keys[#keys + 1] = key
end

wrk.method = "POST"
wrk.headers["content-type"] = "application/json"

function request()
  wrk.headers["x-api-key"] = keys[n % #keys + 1]
  n = n + 1
  local body = string.format('{"to":"9055%08d","message":"Your code is %06d","serviceId":"%s"}',
                             n % 100000000, n % 1000000, service)
  return wrk.format(nil, "/v1/sms-sendings", nil, body)
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests": %d, "errors": %d, "seconds": %.6f, "perSecond": %.3f, "p50": %.3f, "p99": %.3f}\n',
    summary.requests, errors.connect + errors.read + errors.write + errors.status + errors.timeout,
    summary.duration / 1e6, summary.requests / (summary.duration / 1e6),
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
