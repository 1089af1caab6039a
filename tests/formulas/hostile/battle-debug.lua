-- refused: there is no debug here
-- The debug library reads registers and upvalues.
return {
    name = "battle",
    version = 0,
    inputs = { { name = "distance_m", min = 0, max = 90 } },
    outputs = { { name = "damage", min = 5, max = 60 } },
    formula = function(distance_m, random)
        return debug.getinfo(1).currentline
    end,
}
