-- refused: there is no pcall here
-- Swallows the error that is to stop it.
return {
    name = "battle",
    version = 0,
    inputs = { { name = "distance_m", min = 0, max = 90 } },
    outputs = { { name = "damage", min = 5, max = 60 } },
    formula = function(distance_m, random)
        while true do pcall(error, "x") end
    end,
}
