-- Watches LuaJIT's compiler: which of our loops have become machine code, what it gave up and why, and where machine code
-- falls back to the interpreter. The callbacks run when a trace is made, never in a trace.
local setup = ...
local util = require "jit.util"
local has_vmdef, vmdef = pcall(require, "jit.vmdef")
local format = string.format

local watch = { aborts = 0, flushes = 0, traces = 0, abort_text = "" }
local ours = {}     -- chunk: true, of the chunks that we care about
local compiled = {} -- chunk: true when a root trace begins in it
local chunk_of = {} -- trace number: chunk in which it begins
local last_abort = {} -- chunk: text
local current = {}

function watch.on(chunk)
    ours[chunk] = true
end

local function abort_text(code, info)
    local text = has_vmdef and type(code) == "number" and vmdef.traceerr[code] or tostring(code)
    if type(info) == "number" and string.find(text, "bytecode", 1, true) then -- its number says nothing to anybody
        info, text = string.match(string.sub(vmdef.bcnames, info * 6 + 1, info * 6 + 6), "%S+"), string.gsub(text, "%%d", "%%s")
    end
    local fits, sentence = pcall(format, text, type(info) == "function" and "a function" or info)
    return fits and sentence or text
end

local function location(func, pc)
    local info = util.funcinfo(func, pc)
    return info.loc or tostring(info.addr)
end

local function on_start(number, func, pc, parent, exit)
    local source = util.funcinfo(func).source
    -- A side trace belongs to where its root began: it may start in the formula and go on in the loop.
    current = { root = parent == nil, chunk = parent and chunk_of[parent] or source, loc = location(func, pc) }
    return format("start %d %s %s", number, current.root and "root" or format("side of %d/%d", parent, exit), current.loc)
end

local function on_stop(number)
    watch.traces = watch.traces + 1
    chunk_of[number] = current.chunk
    if current.root and current.chunk then compiled[current.chunk] = true end
    return format("stop %d %s %s", number, current.root and "root" or "side", current.loc)
end

local function on_abort(number, func, pc, code, info)
    local text = format("%s at %s", abort_text(code, info), location(func, pc))
    if ours[current.chunk] then
        watch.aborts, watch.abort_text = watch.aborts + 1, text
        last_abort[current.chunk] = text
    end
    return format("abort %d %s %s: %s", number, current.root and "root" or "side", current.loc, text)
end

local function on_trace(what, number, func, pc, parent, exit)
    local line = what
    if what == "start" then
        line = on_start(number, func, pc, parent, exit)
    elseif what == "stop" then
        line = on_stop(number)
    elseif what == "abort" then
        line = on_abort(number, func, pc, parent, exit)
    else
        watch.flushes = watch.flushes + 1
    end
    setup.count(what)
    if setup.trace_write then setup.trace_write(line .. "\n") end
end
jit.attach(on_trace, "trace")

-- Why the loop in this chunk is not machine code, or nil when it is. A formula's own loop becomes hot first, is compiled alone, and
-- keeps the loop around it from being compiled: half a microsecond a job.
function watch.refusal(chunk)
    if compiled[chunk] then return nil end
    return last_abort[chunk] or "the function has a loop of its own; write its rounds out one after the other"
end

-- Traces that end in the interpreter: LuaJIT has given up what comes behind them.
function watch.interpreted()
    local count = 0
    for number, chunk in pairs(chunk_of) do
        local info = ours[chunk] and util.traceinfo(number)
        if info and (info.linktype == "interpreter" or info.linktype == "stitch") then count = count + 1 end
    end
    return count
end

return watch
