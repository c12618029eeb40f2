"""The functions of this app, as Azure finds them; nothing else lives here."""

import azure.functions as func

from functions import convert, http, poll, send, upkeep, webhook

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
for blueprint in (poll.bp, convert.bp, send.bp, webhook.bp, upkeep.bp, http.bp):
    app.register_functions(blueprint)
