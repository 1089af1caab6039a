-- refused: there is no getmetatable here
-- Strings' metatable leads to the string library.
return {
    name = "battle",
    version = 0,
    inputs = { { name = "distance_m", min = 0, max = 90 } },
    outputs = { { name = "damage", min = 5, max = 60 } },
    formula = function(distance_m, random)
        return getmetatable("").__index.len("x") + 20
    end,
}
