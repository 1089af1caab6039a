-- The formula worker's runtime: turns a formula, which is a plain function of one job, into a loop over a batch of jobs that
-- LuaJIT compiles to machine code. The worker (app/veltrix-formula-worker/runtime.c) runs watch.lua, declare.lua and this
-- file once with `setup` and then calls load(), compiled() and inspect().
--
-- The shared arrays are cast here, once: with the base address a constant, the compiled loop is loads, arithmetic and
-- stores. FFI is for this file only; a formula sees `below`, `clamp`, `mix` and `math` without its random numbers, so
-- that nothing but the job decides the answer.
local setup = ...
local declare, watch = setup.declare, setup.watch
local ffi = require "ffi"
local bit = require "bit"
local bxor, rshift, format = bit.bxor, bit.rshift, string.format

---- The shared memory: as in lib/formula/formula_shared.h. ----

ffi.cdef [[
struct formula_batch {
    uint32_t state;
    uint32_t state_reserved[15];
    uint32_t count;
    uint32_t version;
    uint32_t attempts;
    uint32_t mode;
    uint32_t ns;
    uint32_t pause_ns;
    uint32_t allocated;
    uint32_t failures;
    uint32_t reserved[8];
    float inputs[6][64];
    float outputs[4][64];
    uint64_t seeds[64];
};
]]

local function check_equal(what, here, there)
    if here ~= there then
        error(format("struct formula_batch: %s is %s in batch.lua and %s in formula_shared.h", what, tostring(here), tostring(there)), 0)
    end
end
check_equal("size", ffi.sizeof("struct formula_batch"), setup.batch_bytes)
for field, offset in pairs(setup.offsets) do
    check_equal("offset of " .. field, ffi.offsetof("struct formula_batch", field), offset)
end
local batches = ffi.cast("struct formula_batch *", setup.batches)
check_equal("number of jobs", ffi.sizeof(batches[0].seeds) / 8, setup.batch_jobs)

-- Each batch's arrays by the batch's number. Taken from the batch when they are needed, they would be four new
-- objects a batch: 96 bytes of garbage and half a microsecond.
local inputs_of, outputs_of, seeds_of = {}, {}, {}
for number = 0, setup.batches_total - 1 do
    inputs_of[number], outputs_of[number], seeds_of[number] = batches[number].inputs, batches[number].outputs, batches[number].seeds
end

---- Random numbers: base's vx_rng, seeded with the job's own seed. ----

-- In an FFI array and not in a local: a 64-bit number in an upvalue would be a new object each time.
local state = ffi.new("uint64_t[1]")
local function random()
    local x = state[0] + 0x9e3779b97f4a7c15ULL
    state[0] = x
    x = bxor(x, rshift(x, 30)) * 0xbf58476d1ce4e5b9ULL
    x = bxor(x, rshift(x, 27)) * 0x94d049bb133111ebULL
    x = bxor(x, rshift(x, 31))
    return tonumber(ffi.cast("int64_t", rshift(x, 11))) * 2 ^ -53
end

local function random_from(seed)
    state[0] = seed
    return random
end

---- A formula becomes a loop. ----

-- One set of functions a formula, from a text, so that each has its own code and its own traces: a shared loop would be compiled
-- for the first formula that comes along.
--
-- Inputs are moved into their declared ranges, so that a formula never sees what the gate has not tried, and so are answers. `x ~= x`
-- is true for NaN only, so the compiled loop never leaves its path there; max, min and floor are instructions: an answer that is
-- often outside of its range would otherwise be a branch that nothing can predict. `+ 0` turns a negative zero into zero.
local template = [[
local formula, random, state, inputs_of, outputs_of, seeds_of, pcall, max, min, floor, fatal = ...
local function loop(number, count)
    local inputs, outputs, seeds = inputs_of[number], outputs_of[number], seeds_of[number]
    for i = 0, count - 1 do
        $inputs
        state[0] = seeds[i]
        local $names = formula($arguments, random)
        $clamps
        $stores
    end
end
local function one(number, i)
    local inputs, outputs = inputs_of[number], outputs_of[number]
    $inputs
    state[0] = seeds_of[number][i]
    local $names = formula($arguments, random)
    $clamps
    $stores
end
local function careful(number, count)
    local failures, outputs = 0, outputs_of[number]
    for i = 0, count - 1 do
        local good, why = pcall(one, number, i)
        if not good then
            if fatal(why) then error(why, 0) end
            failures = failures + 1
            $failed
        end
    end
    return failures
end
local function minima(number, count)
    local outputs = outputs_of[number]
    for i = 0, count - 1 do
        $minima
    end
end
return loop, careful, minima
]]

local function moved(part, name, field)
    local round = field.whole and format(" %s = floor(%s + 0.5)", name, name) or ""
    return format("if %s ~= %s then %s = %.17g end%s %s = max(min(%s, %.17g), %.17g)", name, name, name, field.min, round, name, name, field.max, field.min)
end

-- raw: answers as they are, NaN for jobs that fail.
local function loop_text(declared, raw)
    local part = { inputs = {}, names = {}, arguments = {}, clamps = {}, stores = {}, minima = {}, failed = {} }
    for i, input in ipairs(declared.inputs) do
        part.inputs[i] = format("local i%d = inputs[%d][i]; ", i, input.index - 1) .. moved(part, "i" .. i, input)
        part.arguments[i] = "i" .. i
    end
    local given = {}
    for i, output in ipairs(declared.outputs) do
        given[output.index] = true
        part.names[i] = "o" .. i
        part.clamps[i] = raw and "" or moved(part, "o" .. i, { min = output.min, max = output.max })
        part.stores[i] = format("outputs[%d][i] = o%d + 0", output.index - 1, i)
        part.minima[i] = format("outputs[%d][i] = %.17g", output.index - 1, output.min)
        part.failed[i] = raw and format("outputs[%d][i] = 0/0", output.index - 1) or part.minima[i]
    end
    for index, field in ipairs(declared.kind.outputs) do -- those that the formula leaves out
        if not given[index] then part.stores[#part.stores + 1] = format("outputs[%d][i] = %.17g", index - 1, field.min) end
    end
    local comma = { names = true, arguments = true }
    return (string.gsub(template, "%$(%a+)", function(name)
        return table.concat(part[name], comma[name] and ", " or "; ")
    end))
end

-- One job's mistake is answered; no memory or no stack ends the worker.
local function is_fatal(why)
    return type(why) == "string" and (string.find(why, "stack overflow", 1, true) or string.find(why, "not enough memory", 1, true)) ~= nil
end

local function make(declared, raw, name, never_compiled)
    local chunk = assert(loadstring(loop_text(declared, raw), "=" .. name))
    if never_compiled then jit.off(chunk, true) end
    return chunk(declared.formula, random, state, inputs_of, outputs_of, seeds_of, pcall, math.max, math.min, math.floor, is_fatal)
end

---- What the worker calls. ----

local batch = {}
local loaded = {} -- kind: declared

-- The kind's ranges in its own order, with the declared ones put in.
local function ranges(fields, declared)
    local list = {}
    for i, field in ipairs(fields) do list[i] = { min = field.min, max = field.max, whole = field.whole } end
    for _, field in ipairs(declared) do list[field.index] = { min = field.min, max = field.max, whole = field.whole } end
    return list
end

local function summary(declared, examples)
    local used, means = 0, {}
    for _, input in ipairs(declared.inputs) do used = used + 2 ^ (input.index - 1) end
    for i in ipairs(declared.kind.outputs) do means[i] = declared.means[i] or { min = 1, max = 0 } end
    return { version = declared.version, examples = examples, inputs_used = used, job_ns = declared.job_ns or 0, means = means,
        inputs = ranges(declared.kind.inputs, declared.inputs), outputs = ranges(declared.kind.outputs, declared.outputs) }
end

-- Loops that answer as the formula does: compiled, and (from a second reading of the text, with code of its own) never compiled.
local function trial_loops(made, name, text, path, declared)
    made.raw, made.raw_careful = make(declared, true, "raw:" .. name)
    local again = declare.read(name, text, path, true)
    made.interpreted = select(2, make(again, true, "interpreted:" .. name, true))
end

if not jit.status() then
    error("the JIT compiler is off: a job would cost 500 ns instead of 5", 0)
end

-- load(kind, text, path, trial): functions of (batch number, count), and what the formula declares.
function batch.load(name, text, path, trial)
    local declared = declare.read(name, text, path)
    declare.probe(declared, random_from)
    local examples = trial and declare.run_examples(declared, random_from) or 0
    local made = summary(declared, examples)
    declared.chunk = "=batch:" .. name
    watch.on(declared.chunk)
    made.loop, made.careful, made.minima = make(declared, false, "batch:" .. name)
    if trial then
        trial_loops(made, name, text, path, declared)
        watch.on("=raw:" .. name)
    end
    loaded[name] = declared
    declared.state = declare.state(declared)
    -- 56 is the default; setting it resets all counters, so that the loop becomes hot inside its first batch. A side trace whose
    -- recording happens to begin at a batch's last job is given up: tried more often, it is not given up for good.
    jit.opt.start("hotloop=56", "tryside=64")
    return made
end

-- After warming up.
function batch.compiled(name)
    local why = watch.refusal(loaded[name].chunk)
    if why then error(format("%s: the loop cannot be compiled, which would cost a hundred times as much: %s", loaded[name].path, why), 0) end
end

function batch.inspect()
    local report = { traces = watch.traces, aborts = watch.aborts, flushes = watch.flushes, abort_text = watch.abort_text, interpreted = watch.interpreted() }
    for _, declared in pairs(loaded) do
        report.state_text = report.state_text or declare.changed(declared.state, declare.state(declared))
    end
    return report
end

return batch
