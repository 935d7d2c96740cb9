-- wrk's side of Benchmarks/service.py: requests that no cache answers, at a pace, and what became of each.
--
-- Arguments: measure, names (JSON), mean pause of a connection in ms (0: none), "each" or "count". A request's id carries the time it was sent at, and the
-- service answers the id, so that each answer's own latency is known. At the end a line an answer: status, microseconds, seconds since the start. With
-- "count" the answers are not looked at: reading the fields of each takes a third of the generator's time.
local ffi = require("ffi")
ffi.cdef [[ typedef struct { long sec; long nsec; } moment; int clock_gettime(int, moment *); ]]
local clock = ffi.new("moment")
local function now()
    ffi.C.clock_gettime(1, clock)
    return tonumber(clock.sec) * 1000000 + tonumber(clock.nsec) / 1000
end

local threads = {}
function setup(thread)
    thread:set("seed", os.time() * 1000 + #threads + tonumber(tostring(now()):sub(-5)))
    table.insert(threads, thread)
end

function init(arguments)
    math.randomseed(seed)
    measure, names, pause = arguments[1], arguments[2], tonumber(arguments[3])
    key, begun, sent = os.getenv("BALLAST_LOAD_KEY"), now(), 0
    statuses, times, moments = {}, {}, {}
    first = string.format('{"assets":%s,"objective":"MinRisk","risk_measure":"%s","risk_free_rate":0.0', names, measure)
    last = ',"store":false}'
    top = string.format("POST /api/portfolio/optimize HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n", key, #first + 9 + #last)
    if arguments[4] == "count" then
        response = nil
        top = top .. "\r\n" .. first
    end
    if pause > 0 then
        -- Independent callers: exponential pauses.
        delay = function() return math.floor(-pause * math.log(1 - math.random()) + 0.5) end
    end
end

function request()
    sent = sent + 1
    local digits = string.format("%09d", math.random(0, 999999999))
    if not response then return top .. digits .. last end
    return string.format("%sX-Request-ID: load-%d-%.0f\r\n\r\n%s%s%s", top, sent, now(), first, digits, last)
end

function response(status, headers, body)
    if not field then
        for name in pairs(headers) do if name:lower() == "x-request-id" then field = name end end
    end
    local at = now()
    local since = tonumber((headers[field] or ""):match("(%d+)$"))
    if since then
        table.insert(statuses, status)
        table.insert(times, at - since)
        table.insert(moments, (at - begun) / 1000000)
    end
end

function done()
    for _, thread in ipairs(threads) do
        local statuses, times, moments = thread:get("statuses"), thread:get("times"), thread:get("moments")
        for n = 1, #statuses do print(string.format("answer %d %.0f %.3f", statuses[n], times[n], moments[n])) end
    end
end
