"""Language models: pronunciations, n-grams, and the search graph made of them."""
