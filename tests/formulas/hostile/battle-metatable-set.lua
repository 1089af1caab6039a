-- refused: there is no setmetatable here
-- A metatable that runs code when it is looked at.
return {
    name = "battle",
    version = 0,
    inputs = { { name = "distance_m", min = 0, max = 90 } },
    outputs = { { name = "damage", min = 5, max = 60 } },
    formula = function(distance_m, random)
        return setmetatable({}, { __index = function() while true do end end }).x
    end,
}
