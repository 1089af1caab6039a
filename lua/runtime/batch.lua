-- The formula worker's runtime: turns a formula, which is a plain function of one job, into a loop over
-- a batch of jobs that LuaJIT compiles to machine code. The worker (app/veltrix-formula-worker)
-- calls this file once with `setup` and gets back load(kind, path).
--
-- The shared arrays are cast here, once: with the base address a constant, the compiled loop is
-- loads, arithmetic and stores. FFI is for this file only; a formula's environment is `below` and `math`
-- without its random numbers, so that nothing but the job decides the answer.
local setup = ...
local ffi = require "ffi"
local bit = require "bit"
local util = require "jit.util"
local bxor, rshift, format = bit.bxor, bit.rshift, string.format

-- Strings' methods are reachable from any string literal: ("x"):rep(1e9).
debug.setmetatable("", nil)

---- The shared memory: as in lib/formula/formula_shared.h. ----

ffi.cdef [[
struct formula_batch {
    uint32_t state;
    uint32_t state_reserved[15];
    uint32_t count;
    uint32_t version;
    uint32_t attempts;
    uint32_t reserved[13];
    float inputs[6][64];
    float outputs[4][64];
    uint64_t seeds[64];
    uint32_t ids[64];
    uint16_t shards[64];
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
check_equal("number of jobs", ffi.sizeof(batches[0].ids) / 4, setup.batch_jobs)

-- Each batch's arrays by the batch's number. Taken from the batch when they are needed, they would be four new
-- objects a batch: 96 bytes of garbage and half a microsecond.
local inputs_of, outputs_of, seeds_of = {}, {}, {}
for number = 0, setup.scratch do
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

---- What each kind takes and gives: lib/shard/vx_shard.h's job, in order. ----

local kinds = {
    battle = {
        inputs = { "attacker_rating", "target_rating", "distance_m", "weapon", "target_health", "attacker_streak" },
        outputs = { { "damage", 0, 65535 }, { "critical", 0, 1 } },
    },
    loot = {
        inputs = { "player_rating", "tier", "chests_left", "elapsed_s", "players" },
        outputs = { { "item", 1, 65535 }, { "amount", 1, 2 ^ 24 } }, -- a float counts exactly up to 2^24
    },
    pairing = {
        inputs = { "wait_s" },
        outputs = { { "window_rating", 0, 100000 } },
    },
}

local function check_range(where, declared, name, lowest, highest)
    if type(declared) ~= "table" or declared.name ~= name then
        error(format("%s is %s, expected { name = \"%s\", min = …, max = … }", where, tostring(declared and declared.name), name), 0)
    end
    local min, max = declared.min, declared.max
    if type(min) ~= "number" or type(max) ~= "number" or not (min >= lowest and min <= max and max <= highest) then
        error(format("%s, %s: min %s and max %s, expected %s <= min <= max <= %s", where, name, tostring(min), tostring(max), lowest, highest), 0)
    end
end

local function check_declared(path, name, formula)
    local kind = kinds[name]
    local function expect(condition, text)
        if not condition then error(format("%s: %s", path, text), 0) end
    end
    expect(type(formula) == "table" and type(formula.formula) == "function", "expected a table with a function called formula")
    expect(formula.name == name, format("name is %s, expected \"%s\"", tostring(formula.name), name))
    local version = formula.version
    expect(type(version) == "number" and version >= 1 and version < 2 ^ 32 and version % 1 == 0,
        format("version is %s, expected a whole number from 1", tostring(version)))
    for _, list in ipairs { "inputs", "outputs" } do
        expect(type(formula[list]) == "table" and #formula[list] == #kind[list], format("expected %d %s", #kind[list], list))
    end
    for i, input in ipairs(kind.inputs) do
        check_range(format("%s: input %d", path, i), formula.inputs[i], input, -2 ^ 24, 2 ^ 24)
    end
    for i, output in ipairs(kind.outputs) do
        check_range(format("%s: output %d", path, i), formula.outputs[i], output[1], output[2], output[3])
    end
end

---- A formula becomes a loop. ----

-- One loop a kind, from a text, so that each has its own code and its own traces: a shared loop would be
-- compiled for the first formula that comes along. `x ~= x` is true for NaN only, so the compiled loop never
-- leaves its path there, and max and min are instructions: an answer that is often outside of its range would
-- otherwise be a branch that nothing can predict. `+ 0` turns a negative zero into zero.
local template = [[
local formula, random, state, inputs_of, outputs_of, seeds_of, pcall, max, min = ...
local function loop(number, count)
    local inputs, outputs, seeds = inputs_of[number], outputs_of[number], seeds_of[number]
    for i = 0, count - 1 do
        state[0] = seeds[i]
        local $names = formula($arguments, random)
        $clamps
        $stores
    end
end
local function one(number, i)
    local inputs, outputs = inputs_of[number], outputs_of[number]
    state[0] = seeds_of[number][i]
    local $names = formula($arguments, random)
    $clamps
    $stores
end
local function careful(number, count)
    local failures, outputs = 0, outputs_of[number]
    for i = 0, count - 1 do
        if not pcall(one, number, i) then
            failures = failures + 1
            $minima
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

local function loop_text(formula)
    local part = { names = {}, arguments = {}, clamps = {}, stores = {}, minima = {} }
    for i = 1, #formula.inputs do
        part.arguments[i] = format("inputs[%d][i]", i - 1)
    end
    for i, output in ipairs(formula.outputs) do
        part.names[i] = "o" .. i
        part.clamps[i] = format("if o%d ~= o%d then o%d = %.17g end o%d = max(min(o%d, %.17g), %.17g)", i, i, i, output.min, i, i, output.max, output.min)
        part.stores[i] = format("outputs[%d][i] = o%d + 0", i - 1, i)
        part.minima[i] = format("outputs[%d][i] = %.17g", i - 1, output.min)
    end
    local comma = { names = true, arguments = true }
    return (string.gsub(template, "%$(%a+)", function(name)
        return table.concat(part[name], comma[name] and ", " or "; ")
    end))
end

---- What the compiler does: watched while a formula loads, and logged on request. ----

local trace_file = setup.trace_path and assert(io.open(setup.trace_path, "w"))
local has_vmdef, vmdef = pcall(require, "jit.vmdef")
local compiled, last_abort = {}, "it was never hot"
local current = {}

local function abort_text(code, info)
    local text = has_vmdef and type(code) == "number" and vmdef.traceerr[code] or tostring(code)
    local fits, sentence = pcall(format, text, type(info) == "function" and "a function" or info)
    return fits and sentence or text
end

local function location(func, pc)
    local info = util.funcinfo(func, pc)
    return info.loc or tostring(info.addr)
end

local function on_trace(what, number, func, pc, parent, exit)
    local line
    if what == "start" then
        current = { loc = location(func, pc), chunk = util.funcinfo(func).source, root = parent == nil }
        line = format("start %d %s %s", number, current.root and "root" or format("side of %d/%d", parent, exit), current.loc)
    elseif what == "stop" then
        if current.root and current.chunk then compiled[current.chunk] = true end
        line = format("stop %d %s %s", number, current.root and "root" or "side", current.loc)
    elseif what == "abort" then
        last_abort = format("%s at %s", abort_text(parent, exit), location(func, pc))
        line = format("abort %d %s %s: %s", number, current.root and "root" or "side", current.loc, last_abort)
    else
        line = what
    end
    if trace_file then
        trace_file:write(line, "\n")
        trace_file:flush()
    end
end

---- Warming up: made-up jobs in the scratch batch, from all over the declared ranges. ----

local warm_batches = 40 -- enough for side traces (hot after 10 exits) of all but rare branches

local function warm_fill(formula, round)
    local scratch = batches[setup.scratch]
    for i = 0, setup.batch_jobs - 1 do
        local seed = round * setup.batch_jobs + i + 1
        scratch.seeds[i] = seed
        state[0] = seed
        for k, input in ipairs(formula.inputs) do
            local value = input.min + (input.max - input.min) * random()
            scratch.inputs[k - 1][i] = input.integer and math.floor(value + 0.5) or value
        end
    end
end
jit.off(warm_fill, true) -- its loops are not what the log is for

-- Errors of the formula come out here, at load, with file and line.
local function warm_up(path, formula, loop, chunk)
    jit.attach(on_trace, "trace")
    jit.opt.start("hotloop=56") -- the default; setting it resets all counters, so that the loop becomes hot inside its first batch
    for round = 1, warm_batches do
        warm_fill(formula, round)
        loop(setup.scratch, setup.batch_jobs)
    end
    if not trace_file then jit.attach(on_trace) end
    if not compiled[chunk] then
        error(format("%s: the loop cannot be compiled, which would cost a hundred times as much: %s", path, last_abort), 0)
    end
end
jit.off(warm_up)

---- load(kind, path): loop(number, count), careful(number, count), minima(number, count), version ----

local ceil, max, min = math.ceil, math.max, math.min

-- 1 when x < y, else 0, without a branch: a condition that nothing can predict costs five times as much.
-- The difference of two numbers is 0 only when they are equal, so its ceiling is exact.
local function below(x, y)
    return min(max(ceil(y - x), 0), 1)
end

local function environment()
    return {
        below = below,
        math = {
            abs = math.abs, ceil = math.ceil, floor = math.floor, max = math.max, min = math.min,
            exp = math.exp, log = math.log, sqrt = math.sqrt, sin = math.sin, cos = math.cos, tan = math.tan,
            pi = math.pi, huge = math.huge,
        },
    }
end

if not jit.status() then
    error("the JIT compiler is off: a job would cost 500 ns instead of 5", 0)
end

return function(name, path)
    local chunk, why = loadfile(path, "t", environment())
    if not chunk then -- the refusal of bytecode is the one that does not say of which file
        error(string.find(why, "wrong mode", 1, true) and path .. ": is bytecode, expected Lua text" or why, 0)
    end
    local formula = chunk()
    check_declared(path, name, formula)
    local loop_chunk = "=batch:" .. name
    local loop, careful, minima = assert(loadstring(loop_text(formula), loop_chunk))(formula.formula, random, state, inputs_of, outputs_of, seeds_of, pcall,
        max, min)
    warm_up(path, formula, loop, loop_chunk)
    return loop, careful, minima, formula.version
end
