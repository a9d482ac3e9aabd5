// The description of the API in Swagger UI. Nothing is loaded from elsewhere,
// and a token that is typed in stays in this page.
"use strict";

SwaggerUIBundle({
  url: document.getElementById("swagger").dataset.spec,
  dom_id: "#swagger",
  deepLinking: true,
  docExpansion: "list",
  defaultModelsExpandDepth: -1,
  defaultModelExpandDepth: 3,
  displayRequestDuration: true,
  showExtensions: true,
  persistAuthorization: false,
  validatorUrl: null,
  onComplete: () => { document.getElementById("swagger").dataset.done = "yes"; },
});
