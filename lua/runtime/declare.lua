-- What a formula's file may say of itself, and what it may reach: the file becomes a table, the table is held against the kind
-- (lib/formula/kinds.c, handed over as setup.kinds), its examples are run. Errors name the file and what was expected.
local setup = ...
local format, concat = string.format, table.concat
local ceil, max, min = math.ceil, math.max, math.min

-- Strings' methods are reachable from any string literal: ("x"):rep(1e9).
debug.setmetatable("", nil)

---- What a formula sees. ----

-- 1 when x < y, else 0, without a branch: a condition that nothing can predict costs five times as much.
-- The difference of two numbers is 0 only when they are equal, so its ceiling is exact.
local function below(x, y)
    return min(max(ceil(y - x), 0), 1)
end

local function clamp(x, low, high)
    return min(max(x, low), high)
end

local function mix(a, b, part)
    return a + (b - a) * part
end

-- Read-only: what one job stored would be another's to see.
local function sealed(contents, name)
    return setmetatable({}, {
        __index = function(_, key)
            local value = contents[key]
            if value == nil then error(format("there is no %s%s here; a formula has below, clamp, mix, math and its own locals", name, tostring(key)), 2) end
            return value
        end,
        __newindex = function(_, key)
            error(format("%s%s cannot be set; a value of the file's own is declared with local", name, tostring(key)), 2)
        end,
        __metatable = false,
    })
end

local function environment()
    local mathematics = {
        abs = math.abs, ceil = math.ceil, floor = math.floor, max = math.max, min = math.min,
        exp = math.exp, log = math.log, sqrt = math.sqrt, sin = math.sin, cos = math.cos, tan = math.tan,
        pi = math.pi, huge = math.huge,
    }
    return sealed({ below = below, clamp = clamp, mix = mix, math = sealed(mathematics, "math.") }, "")
end

---- What it declares. ----

local declare = {}

local function fail(path, text, ...)
    error(format("%s: " .. text, path, ...), 0)
end

local function names_of(fields)
    local names = {}
    for i, field in ipairs(fields) do names[i] = field.name end
    return concat(names, ", ")
end

local function is_number(value)
    return type(value) == "number" and value == value and value ~= math.huge and value ~= -math.huge
end

local function check_keys(path, where, given, allowed)
    for key in pairs(given) do
        if not allowed[key] then fail(path, "%s has %s, which means nothing here", where, tostring(key)) end
    end
end

local field_keys = { name = true, unit = true, min = true, max = true, whole = true }

-- One { name =, unit =, min =, max =, whole = } against the kind's field of that name.
local function check_field(path, what, position, given, fields)
    local where = format("%s %d", what, position)
    if type(given) ~= "table" or type(given.name) ~= "string" then
        fail(path, "%s is %s, expected { name = …, unit = …, min = …, max = … } with a name out of %s", where, type(given), names_of(fields))
    end
    check_keys(path, where, given, field_keys)
    for index, field in ipairs(fields) do
        if field.name == given.name then
            if given.unit ~= nil and given.unit ~= field.unit then
                fail(path, "%s, %s: unit is %s, expected \"%s\"", where, field.name, tostring(given.unit), field.unit)
            end
            if not (is_number(given.min) and is_number(given.max) and given.min >= field.min and given.min <= given.max and given.max <= field.max) then
                fail(path, "%s, %s: min %s and max %s, expected %.17g <= min <= max <= %.17g", where, field.name, tostring(given.min), tostring(given.max), field.min, field.max)
            end
            return { index = index, name = field.name, min = given.min, max = given.max, whole = field.whole or given.whole == true }
        end
    end
    fail(path, "%s is %s, expected one of %s", where, given.name, names_of(fields))
end

-- A list of them: each once, outputs all but those that may be left out.
local function check_fields(path, what, given, fields)
    if type(given) ~= "table" then fail(path, "%ss is %s, expected a list of some of %s", what, type(given), names_of(fields)) end
    check_keys(path, what .. "s", given, setmetatable({}, { __index = function(_, key) return type(key) == "number" end }))
    local list, seen = {}, {}
    for i, one in ipairs(given) do
        local field = check_field(path, what, i, one, fields)
        if seen[field.name] then fail(path, "%s %d is %s, which is there already", what, i, field.name) end
        seen[field.name], list[i] = true, field
    end
    for _, field in ipairs(fields) do
        if what == "output" and not seen[field.name] and not field.may_lack then fail(path, "there is no output %s, expected one", field.name) end
    end
    return list
end

local limit_keys = { job_ns = true, mean = true }

local function check_limits(path, limits, outputs)
    local checked = { means = {} }
    if limits == nil then return checked end
    if type(limits) ~= "table" then fail(path, "limits is %s, expected a table", type(limits)) end
    check_keys(path, "limits", limits, limit_keys)
    if limits.job_ns ~= nil and not (is_number(limits.job_ns) and limits.job_ns > 0) then
        fail(path, "limits.job_ns is %s, expected a number of nanoseconds", tostring(limits.job_ns))
    end
    checked.job_ns = limits.job_ns
    if limits.mean ~= nil and type(limits.mean) ~= "table" then fail(path, "limits.mean is %s, expected a table", type(limits.mean)) end
    for name, range in pairs(limits.mean or {}) do
        local output
        for _, one in ipairs(outputs) do if one.name == name then output = one end end
        if not output then fail(path, "limits.mean has %s, which is not an output", tostring(name)) end
        if type(range) ~= "table" or not (is_number(range[1]) and is_number(range[2]) and range[1] <= range[2]) then
            fail(path, "limits.mean.%s: expected { least, most }", name)
        end
        checked.means[output.index] = { min = range[1], max = range[2] }
    end
    return checked
end

local formula_keys = { name = true, version = true, inputs = true, outputs = true, limits = true, examples = true, formula = true }

local function check(path, kind_name, given)
    local kind = setup.kinds[kind_name]
    if type(given) ~= "table" or type(given.formula) ~= "function" then fail(path, "expected a table with a function called formula") end
    check_keys(path, "the table", given, formula_keys)
    if given.name ~= kind_name then fail(path, "name is %s, expected \"%s\"", tostring(given.name), kind_name) end
    local version = given.version
    if not (is_number(version) and version >= 1 and version < 2 ^ 32 and version % 1 == 0) then
        fail(path, "version is %s, expected a whole number from 1", tostring(version))
    end
    local outputs = check_fields(path, "output", given.outputs, kind.outputs)
    local limits = check_limits(path, given.limits, outputs)
    return { path = path, kind = kind, name = kind_name, version = version, formula = given.formula, inputs = check_fields(path, "input", given.inputs, kind.inputs),
        outputs = outputs, job_ns = limits.job_ns, means = limits.means, examples = given.examples }
end

-- The file's text as a checked table. Text only: LuaJIT does not check bytecode.
function declare.read(kind_name, text, path, never_compiled)
    if string.byte(text, 1) == 27 then fail(path, "is bytecode, expected Lua text") end
    local chunk, why = load(text, "@" .. path, "t", environment())
    if not chunk then error(why, 0) end
    if never_compiled then jit.off(chunk, true) end
    return check(path, kind_name, chunk())
end

---- Its examples, and what it returns at all. ----

local function evaluate(declared, values, random_from, seed)
    local arguments = {}
    for i, input in ipairs(declared.inputs) do arguments[i] = values[input.name] end
    arguments[#declared.inputs + 1] = random_from(seed)
    return { n = 0, declared.formula(unpack(arguments, 1, #declared.inputs + 1)) }
end

-- Called once in the middle of its ranges: as many numbers as outputs must come out.
function declare.probe(declared, random_from)
    local middle = {}
    for _, input in ipairs(declared.inputs) do
        local value = input.min + (input.max - input.min) / 2
        middle[input.name] = input.whole and math.floor(value) or value
    end
    local results = evaluate(declared, middle, random_from, 1)
    if #results ~= #declared.outputs then fail(declared.path, "the function returns %d values, expected %d: %s", #results, #declared.outputs, names_of(declared.outputs)) end
    for i, output in ipairs(declared.outputs) do
        if type(results[i]) ~= "number" then fail(declared.path, "%s is a %s, expected a number", output.name, type(results[i])) end
    end
end

local example_keys = { inputs = true, outputs = true, seed = true, within = true }

local function check_output(path, where, name, got, wanted, within)
    local low, high
    if type(wanted) == "table" then low, high = wanted[1], wanted[2] else low, high = wanted, wanted end
    if not (is_number(low) and is_number(high)) then fail(path, "%s: %s is %s, expected a number or { least, most }", where, name, tostring(wanted)) end
    if not (got >= low - within and got <= high + within) then
        fail(path, low == high and "%s: %s is %.17g, expected %.17g" or "%s: %s is %.17g, expected %.17g to %.17g", where, name, got, low, high)
    end
end

local function run_example(declared, position, example, random_from)
    local path, where = declared.path, format("example %d", position)
    if type(example) ~= "table" or type(example.inputs) ~= "table" or type(example.outputs) ~= "table" then
        fail(path, "%s: expected { inputs = { … }, outputs = { … } }", where)
    end
    check_keys(path, where, example, example_keys)
    local known = {}
    for _, input in ipairs(declared.inputs) do
        local value = example.inputs[input.name]
        known[input.name] = true
        if not (is_number(value) and value >= input.min and value <= input.max) then
            fail(path, "%s: %s is %s, expected a number from %.17g to %.17g", where, input.name, tostring(value), input.min, input.max)
        end
    end
    check_keys(path, where .. "'s inputs", example.inputs, known)
    local results, wanted = evaluate(declared, example.inputs, random_from, example.seed or 1), {}
    for i, output in ipairs(declared.outputs) do
        wanted[output.name] = true
        local got = max(min(results[i], output.max), output.min)
        if example.outputs[output.name] ~= nil then check_output(path, where, output.name, got, example.outputs[output.name], example.within or 1e-3) end
    end
    check_keys(path, where .. "'s outputs", example.outputs, wanted)
end

-- Runs every example; returns how many there are.
function declare.run_examples(declared, random_from)
    local examples = declared.examples or {}
    if type(examples) ~= "table" then fail(declared.path, "examples is %s, expected a list", type(examples)) end
    for position, example in ipairs(examples) do run_example(declared, position, example, random_from) end
    return #examples
end

---- Whether it keeps state. ----

local function describe(value, name, out, seen)
    if type(value) == "table" or type(value) == "function" then
        if seen[value] then return end
        seen[value] = true
    end
    if type(value) == "table" then
        for key, inner in pairs(value) do describe(inner, name .. "." .. tostring(key), out, seen) end
    elseif type(value) == "function" then
        for i = 1, 255 do
            local upvalue, inner = debug.getupvalue(value, i)
            if not upvalue then break end
            describe(inner, name == "" and upvalue or name .. "." .. upvalue, out, seen)
        end
    else
        out[name] = type(value) == "number" and format("%.17g", value) or tostring(value)
    end
end

-- Every value that the function can reach and change, by name.
function declare.state(declared)
    local out = {}
    describe(declared.formula, "", out, {})
    return out
end

-- The name of one that differs, or nil.
function declare.changed(before, after)
    for name, value in pairs(after) do if before[name] ~= value then return name end end
    for name in pairs(before) do if after[name] == nil then return name end end
end

return declare
