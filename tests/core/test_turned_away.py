"""Real gateways' pages, and what programs say with the same statuses."""

# ruff: noqa: E501 - a page is a line

from __future__ import annotations

import pytest

from mailkit.core.turned_away import turned_away

# fmt: off
PAGES: dict[str, tuple[int, str]] = {
    "apache 404": (404, "<!DOCTYPE HTML PUBLIC \"-//IETF//DTD HTML 2.0//EN\">\n<html><head>\n<title>404 Not Found</title>\n</head><body>\n<h1>Not Found</h1>\n<p>The requested URL was not found on this server.</p>\n<hr>\n<address>Apache/2.4.62 (Debian) Server at api.shop.by Port 443</address>\n</body></html>"),
    "apache 403": (403, "<html><head><title>403 Forbidden</title></head><body><h1>Forbidden</h1><p>You don't have permission to access this resource.</p><p>Additionally, a 403 Forbidden error was encountered while trying to use an ErrorDocument to handle the request.</p></body></html>"),
    "apache 400": (400, "<html><head><title>400 Bad Request</title></head><body><h1>Bad Request</h1><p>Your browser sent a request that this server could not understand.<br />Reason: You're speaking plain HTTP to an SSL-enabled server port.<br /></p></body></html>"),
    "apache 413": (413, "<html><head><title>413 Request Entity Too Large</title></head><body><h1>Request Entity Too Large</h1>The requested resource does not allow request data with POST requests, or the amount of data provided in the request exceeds the capacity limit.</body></html>"),
    "cloudflare block": (403, "<!DOCTYPE html><html lang=\"en-US\"><head><title>Attention Required! | Cloudflare</title><style>body{margin:0}</style><script>if (!navigator.cookieEnabled) { x(\"error\") }</script></head><body><h1>Sorry, you have been blocked</h1><h2>You are unable to access shop.by</h2><h2>Why have I been blocked?</h2><p>This website is using a security service to protect itself from online attacks. The action you just performed triggered the security solution. There are several actions that could trigger this block including submitting a certain word or phrase, a SQL command or malformed data.</p><h2>What can I do to resolve this?</h2><p>You can email the site owner to let them know you were blocked. Please include what you were doing when this page came up and the Cloudflare Ray ID found at the bottom of this page.</p></body></html>"),
    "cloudflare challenge": (403, "<!DOCTYPE html><html lang=\"en-US\"><head><title>Just a moment...</title><meta http-equiv=\"refresh\" content=\"390\"></head><body class=\"no-js\"><div class=\"main-wrapper\" role=\"main\"><noscript><span>Enable JavaScript and cookies to continue</span></noscript></div><script>(function(){window._cf_chl_opt={\"cvId\":\"3\"};})();</script></body></html>"),
    "cloudflare 1020": (403, "error code: 1020"),
    "cloudflare nginx": (400, "<html>\r\n<head><title>400 The plain HTTP request was sent to HTTPS port</title></head>\r\n<body>\r\n<center><h1>400 Bad Request</h1></center>\r\n<center>The plain HTTP request was sent to HTTPS port</center>\r\n<hr><center>cloudflare</center>\r\n</body>\r\n</html>\r\n<!-- a padding to disable MSIE and Chrome friendly error page -->"),
    "nginx 400 header": (400, "<html><head><title>400 Request Header Or Cookie Too Large</title></head><body><center><h1>400 Bad Request</h1></center><center>Request Header Or Cookie Too Large</center><hr><center>nginx</center></body></html>"),
    "akamai": (403, "<HTML><HEAD>\n<TITLE>Access Denied</TITLE>\n</HEAD><BODY>\n<H1>Access Denied</H1>\n \nYou don't have permission to access \"http&#58;&#47;&#47;api&#46;by&#47;\" on this server.<P>\nReference&#32;&#35;18&#46;5e\n</BODY>\n</HTML>"),
    "akamai url": (400, "<HTML><HEAD><TITLE>Invalid URL</TITLE></HEAD><BODY><H1>Invalid URL</H1>The requested URL \"&#91;no&#32;URL&#93;\", is invalid.<p>Reference&#32;&#35;9</BODY></HTML>"),
    "imperva": (403, "<html style=\"height:100%\"><head><META NAME=\"ROBOTS\" CONTENT=\"NOINDEX, NOFOLLOW\"></head><body><iframe id=\"main-iframe\" src=\"/_Incapsula_Resource?x\">Request unsuccessful. Incapsula incident ID: 1-2</iframe></body></html>"),
    "squid": (403, "<!DOCTYPE html><html><head><title>ERROR: The requested URL could not be retrieved</title></head><body><div id=\"titles\"><h1>ERROR</h1><h2>The requested URL could not be retrieved</h2></div><p>The following error was encountered while trying to retrieve the URL: <a href=\"x\">x</a></p><blockquote id=\"error\"><p><b>Access Denied.</b></p></blockquote><p>Access control configuration prevents your request from being allowed at this time. Please contact your service provider if you feel this is incorrect.</p><p>Your cache administrator is <a href=\"mailto:webmaster\">webmaster</a>.</p><div id=\"footer\"><p>Generated Mon by proxy (squid/5.7)</p></div></body></html>"),
    "squid 407": (407, "<html><head><title>ERROR: Cache Access Denied</title></head><body><h1>ERROR</h1><h2>Cache Access Denied.</h2><p>Sorry, you are not currently allowed to request https://x from this cache until you have authenticated yourself.</p></body></html>"),
    "f5": (403, "<html><head><title>Request Rejected</title></head><body>The requested URL was rejected. Please consult with your administrator.<br><br>Your support ID is: 123<br><br><a href='javascript:history.back();'>[Go Back]</a></body></html>"),
    "fortinet": (403, "<html><head><title>Web Page Blocked</title></head><body><h2>Web Page Blocked!</h2><p>The page cannot be displayed. Please contact the administrator for additional information.</p><p>Attack ID: 20000051</p></body></html>"),
    "aws waf": (403, "<html>\r\n<head><title>403 Forbidden</title></head>\r\n<body>\r\n<center><h1>403 Forbidden</h1></center>\r\n</body>\r\n</html>"),
    "aws alb": (400, "<html>\r\n<head><title>400 Bad Request</title></head>\r\n<body>\r\n<center><h1>400 Bad Request</h1></center>\r\n</body></html>"),
    "s3": (403, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>AccessDenied</Code><Message>Access Denied</Message><RequestId>1</RequestId></Error>"),
    "haproxy": (403, "<html><body><h1>403 Forbidden</h1>\nRequest forbidden by administrative rules.\n</body></html>"),
    "haproxy 400": (400, "<html><body><h1>400 Bad request</h1>\nYour browser sent an invalid request.\n</body></html>"),
    "varnish": (403, "<!DOCTYPE html><html><head><title>403 Forbidden</title></head><body><h1>Error 403 Forbidden</h1><p>Forbidden</p><h3>Guru Meditation:</h3><p>XID: 32770</p><hr><p>Varnish cache server</p></body></html>"),
    "iis 404": (404, "<!DOCTYPE html><html><head><title>404 - File or directory not found.</title><style>body{margin:0}</style></head><body><div id=\"header\"><h1>Server Error</h1></div><div id=\"content\"><h2>404 - File or directory not found.</h2><h3>The resource you are looking for might have been removed, had its name changed, or is temporarily unavailable.</h3></div></body></html>"),
    "http.sys": (400, "<!DOCTYPE HTML><HTML><HEAD><TITLE>Bad Request</TITLE></HEAD><BODY><h2>Bad Request - Invalid Hostname</h2><hr><p>HTTP Error 400. The request hostname is invalid.</p></BODY></HTML>"),
    "gfe": (411, "<!DOCTYPE html><html lang=en><title>Error 411 (Length Required)!!1</title><p><b>411.</b> <ins>That’s an error.</ins><p>POST requests require a <code>Content-length</code> header. <ins>That’s all we know.</ins>"),
    "gfe 400": (400, "<!DOCTYPE html><html lang=en><title>Error 400 (Bad Request)!!1</title><p><b>400.</b> <ins>That’s an error.</ins><p>Your client has issued a malformed or illegal request. <ins>That’s all we know.</ins>"),
    "traefik": (404, "404 page not found\n"),
    "envoy rbac": (403, "RBAC: access denied"),
    "envoy empty": (404, ""),
    "istio jwt": (403, "Jwt is missing"),
    "kong": (404, "{\"message\":\"no Route matched with those values\",\"request_id\":\"9\"}"),
    "kong acl": (403, "{\"message\":\"You cannot consume this service\"}"),
    "kong size": (413, "{\"message\":\"Request size limit exceeded\"}"),
    "aws gw": (403, "{\"message\":\"Missing Authentication Token\"}"),
    "aws deny": (403, "{\"Message\":\"User is not authorized to access this resource with an explicit deny\"}"),
    "tyk": (400, "{\"error\": \"Authorization field missing\"}"),
    "tyk 403": (403, "{\"error\": \"Access to this API has been disallowed\"}"),
    "apim": (404, "{ \"statusCode\": 404, \"message\": \"Resource not found\" }"),
    "apigee": (404, "{\"fault\":{\"faultstring\":\"Unable to identify proxy for host: default and url: /x\",\"detail\":{\"errorcode\":\"messaging.adaptors.http.flow.ApplicationNotFound\"}}}"),
    "qrator": (403, "<html><head><title>403 Forbidden</title></head><body><h1>403 Forbidden</h1><p>Qrator</p></body></html>"),
    "ddos-guard": (403, "<!DOCTYPE html><html><head><title>DDoS-Guard</title><script>var x={\"a\":\"error\"}</script></head><body><h1>Checking your browser before accessing shop.by</h1><p>Please, wait</p></body></html>"),
    "ru block": (403, "<html><head><title>Доступ ограничен</title></head><body><h1>Доступ к ресурсу ограничен администратором</h1></body></html>"),
    "litespeed": (403, "<!DOCTYPE html><html><head><title> 403 Forbidden</title></head><body><h1>403</h1><h2>Forbidden</h2><p>Access to this resource on the server is denied!</p></body></html>"),
    "azure fd": (403, "<!DOCTYPE html><html><head><title>403 Forbidden</title></head><body><h2>The request is blocked.</h2><div>20300501T090000Z-x</div></body></html>"),
    "sucuri": (403, "<html><head><title>Sucuri WebSite Firewall - Access Denied</title></head><body><h1>Access Denied - Sucuri Website Firewall</h1><p>If you are the site owner (or you manage this site), please whitelist your IP or if you think this block is an error please open a support ticket and make sure to include the block details.</p></body></html>"),
}
"""What is said before a request is passed on."""

PROGRAMS: dict[str, tuple[int, str | bytes]] = {
    "php": (400, "<br />\n<b>Fatal error</b>: Uncaught PDOException: MySQL server has gone away in /var/www/a.php:3"),
    "warn": (404, "<b>Warning</b>: x in <b>/a.php</b>{\"error\":\"Invalid email\"}"),
    "after": (400, "{\"error\":\"x\"}<b>Warning</b>: x in /a"),
    "cut": (400, "{\"error\":\"Внутренняя ошиб"),
    "cp1251": (400, "<html><body>Ошибка базы данных</body></html>".encode("cp1251")),
    "cp1251 t": (400, "Ошибка базы данных".encode("cp1251")),
    "cloudfront": (403, "<!DOCTYPE HTML PUBLIC \"x\"><HTML><HEAD><TITLE>ERROR: The request could not be satisfied</TITLE></HEAD><BODY><H1>403 ERROR</H1><H2>The request could not be satisfied.</H2>Request blocked. We can't connect to the server for this app or website at this time. There might be too much traffic or a configuration error. Try again later.<PRE>Generated by cloudfront (CloudFront)</PRE></BODY></HTML>"),
    "symfony": (400, "<!DOCTYPE html><html><head><title>An Error Occurred: Bad Request</title></head><body><h1>Oops! An Error Occurred</h1><h2>The server returned a \"400 Bad Request\".</h2><p>Something is broken. Please let us know.</p></body></html>"),
    "comment": (400, "<html><head><title>Bad Request</title></head><body><!-- SQLSTATE[HY000]: General error (500) -->Bad Request</body></html>"),
    "s500": (400, "{\"status\":\"error\",\"code\":500,\"message\":\"Invalid email\"}"),
    "laravel": (404, "{\"message\":\"No query results for model [App\\\\Job] 5\",\"exception\":\"Illuminate\\\\ModelNotFoundException\",\"file\":\"/srv/x.php\",\"line\":3}"),
    "zzz": (400, "{\"error\":\"Zzz\",\"trace_id\":\"a\"}"),
    "empty reasons": (400, "{\"Description\":\"\",\"Reasons\":[]}"),
    "false": (400, "{\"success\":false}"),
    "django": (400, "<html><head><title>Server Error (500)</title></head><body><h1>Server Error (500)</h1></body></html>"),
    "be": (400, "{\"error\":\"Унутраная памылка\",\"code\":7}"),
    "script": (404, "<html><body><script>no end Fatal error: x</body></html>"),
    "a page without end": (403, "<html>" + "x" * 70_000),
    "a novel": (403, "<html>" + "word " * 1_000),
    "an errno": (400, '{"message":"Invalid","error_code":503}'),
    "queued": (403, '{"message":"Forbidden","status":"queued"}'),
    "a success": (401, '{"success":true,"message":"Unauthorized"}'),
    "accepted": (404, '{"status":"accepted","message":"not found"}'),
}
"""What may be said after the act."""
# fmt: on


@pytest.mark.parametrize("name", PAGES)
def test_a_gateway_turns_away(name: str) -> None:
    status, body = PAGES[name]
    assert turned_away(status, body.encode())


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_does_not(name: str) -> None:
    status, body = PROGRAMS[name]
    assert turned_away(status, body if isinstance(body, bytes) else body.encode()) is None


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (403, '{"error":"Account blocked"}', "Account blocked"),
        (400, '{"status":"error","code":422,"message":"Invalid email"}', "Invalid email"),
        (403, "<html><title>Access &amp; more\n denied</title></html>", "Access & more denied"),
        (403, "<html><body>No</body></html>", "Forbidden"),
        (404, "", "Not Found"),
        (403, "RBAC: \x1b[2Jaccess  denied", "RBAC: \\x1b[2Jaccess denied"),
        (403, '"' + "blocked " * 99 + '"', ("blocked " * 99)[:200]),
    ],
)
def test_its_words_are_shown(status: int, body: str, words: str) -> None:
    assert turned_away(status, body.encode()) == words
