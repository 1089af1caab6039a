-- ChaCha20-Poly1305 of RFC 8439, opening only, in plain Lua: Wireshark's Lua has no cipher. For looking at captures, a few
-- thousand packets a second; nothing here takes the same time for every key. Needs the `bit` library, which
-- Wireshark has under every Lua. tests/system/test_dissector.py runs the vectors of the RFC through it.
local tobit, bxor, rol = bit.tobit, bit.bxor, bit.rol
local floor, byte, char, concat = math.floor, string.byte, string.char, table.concat
local BLOCK_BYTES, TAG_BYTES, LIMB, LIMBS = 64, 16, 8192, 10 -- Poly1305 in ten limbs of 13 bits: sums stay exact in a double

local function word(text, at)
    local a, b, c, d = byte(text, at, at + 3)
    return tobit(a + b * 256 + c * 65536 + d * 16777216)
end

local function quarter(s, a, b, c, d)
    s[a] = tobit(s[a] + s[b]); s[d] = rol(bxor(s[d], s[a]), 16)
    s[c] = tobit(s[c] + s[d]); s[b] = rol(bxor(s[b], s[c]), 12)
    s[a] = tobit(s[a] + s[b]); s[d] = rol(bxor(s[d], s[a]), 8)
    s[c] = tobit(s[c] + s[d]); s[b] = rol(bxor(s[b], s[c]), 7)
end

-- 64 bytes of key stream, as numbers.
local function block(key, nonce, counter)
    local start, s, out = { 0x61707865, 0x3320646e, 0x79622d32, 0x6b206574 }, {}, {}
    for i = 0, 7 do start[5 + i] = word(key, 1 + 4 * i) end
    start[13] = counter
    for i = 0, 2 do start[14 + i] = word(nonce, 1 + 4 * i) end
    for i = 1, 16 do s[i] = start[i] end
    for _ = 1, 10 do
        quarter(s, 1, 5, 9, 13); quarter(s, 2, 6, 10, 14); quarter(s, 3, 7, 11, 15); quarter(s, 4, 8, 12, 16)
        quarter(s, 1, 6, 11, 16); quarter(s, 2, 7, 12, 13); quarter(s, 3, 8, 9, 14); quarter(s, 4, 5, 10, 15)
    end
    for i = 1, 16 do
        local value = tobit(s[i] + start[i]) % 4294967296
        for j = 1, 4 do
            out[4 * (i - 1) + j] = value % 256
            value = floor(value / 256)
        end
    end
    return out
end

-- A little-endian number of `count` bytes, as limbs.
local function limbs(bytes, first, count)
    local out, held, bits, next_byte = {}, 0, 0, first
    for i = 1, LIMBS do
        while bits < 13 and next_byte < first + count do
            held = held + bytes[next_byte] * 2 ^ bits
            bits, next_byte = bits + 8, next_byte + 1
        end
        out[i] = held % LIMB
        held, bits = floor(held / LIMB), bits - 13
    end
    return out
end

-- Carries, with what leaves the top coming back five times: 2^130 is 5.
local function carry(h)
    local over = 0
    for i = 1, LIMBS do
        over = over + h[i]
        h[i] = over % LIMB
        over = floor(over / LIMB)
    end
    h[1] = h[1] + 5 * over
end

local function multiply(h, r)
    local out = {}
    for i = 1, LIMBS do
        local sum = 0
        for j = 1, LIMBS do
            local k = i - j + 1
            sum = sum + (k >= 1 and h[j] * r[k] or 5 * h[j] * r[k + LIMBS])
        end
        out[i] = sum
    end
    carry(out)
    carry(out)
    return out
end

-- h mod 2^130 - 5, plus s mod 2^128, as 16 bytes.
local function finish(h, s)
    carry(h)
    local less, over = {}, 5
    for i = 1, LIMBS do
        over = over + h[i]
        less[i] = over % LIMB
        over = floor(over / LIMB)
    end
    if over > 0 then h = less end
    local out, held, bits, limb, plus = {}, 0, 0, 1, 0
    for i = 1, TAG_BYTES do
        while bits < 8 do
            held, bits, limb = held + h[limb] * 2 ^ bits, bits + 13, limb + 1
        end
        plus = plus + held % 256 + s[i]
        out[i] = char(plus % 256)
        plus, held, bits = floor(plus / 256), floor(held / 256), bits - 8
    end
    return concat(out)
end

local function poly1305(stream, message)
    local key, s, h = {}, {}, {}
    for i = 1, 16 do
        key[i], s[i] = stream[i], stream[16 + i]
    end
    for _, i in ipairs({ 4, 8, 12, 16 }) do key[i] = key[i] % 16 end
    for _, i in ipairs({ 5, 9, 13 }) do key[i] = key[i] - key[i] % 4 end
    local r = limbs(key, 1, 16)
    for i = 1, LIMBS do h[i] = 0 end
    for at = 1, #message, 16 do
        local piece = { byte(message, at, at + 15) }
        piece[#piece + 1] = 1
        local m = limbs(piece, 1, #piece)
        for i = 1, LIMBS do h[i] = h[i] + m[i] end
        h = multiply(h, r)
    end
    return finish(h, s)
end

local function padded(text)
    return text .. string.rep("\0", -#text % 16)
end

local function length(bytes)
    return char(bytes % 256, floor(bytes / 256) % 256, floor(bytes / 65536), 0, 0, 0, 0, 0)
end

-- All arguments and results are strings of bytes. `sealed` is text and tag; nil when they do not belong to key, nonce and aad.
local function open(key, nonce, aad, sealed)
    local bytes = #sealed - TAG_BYTES
    if bytes < 0 then return nil end
    local text, out = sealed:sub(1, bytes), {}
    if poly1305(block(key, nonce, 0), padded(aad) .. padded(text) .. length(#aad) .. length(bytes)) ~= sealed:sub(bytes + 1) then return nil end
    for at = 1, bytes, BLOCK_BYTES do
        local stream = block(key, nonce, 1 + (at - 1) / BLOCK_BYTES)
        for i = at, math.min(at + BLOCK_BYTES - 1, bytes) do
            out[i] = char(bxor(byte(text, i), stream[i - at + 1]))
        end
    end
    return concat(out)
end

return { open = open }
