"""The page, and what can be done on it."""

from django.db import transaction
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.views.decorators.http import require_POST

from shop.models import Order
from twinwire.contrib.django import publish


def orders(request):
    return render(request, "orders.html")


@require_POST
@transaction.atomic
def order(request):
    tell(Order.objects.create(what=request.POST["what"][:100]))
    return redirect(orders)


@require_POST
@transaction.atomic
def pay(request, number):
    found = get_object_or_404(Order.objects.select_for_update(), pk=number)
    found.state = "paid"
    found.save()
    tell(found)
    return redirect(orders)


def tell(order):
    about = {"number": order.pk, "what": order.what, "state": order.state}
    publish(f"orders/{order.pk}", "order", about, subject="order")


urlpatterns = [path("", orders), path("order", order), path("pay/<int:number>", pay)]
