document.title = "Antiphon";
